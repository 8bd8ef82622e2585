"""The formats of reports: findings in, text, JSON, SARIF, JUnit or GitHub annotations out."""
