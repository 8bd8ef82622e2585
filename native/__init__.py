"""The compiled table: its layout, the C engine, the manifest."""
