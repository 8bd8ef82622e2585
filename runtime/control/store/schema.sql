-- The store of one machine (SQLite 3.37 and later). Times are milliseconds since 1970, lists and objects are JSON.

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
  job_id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL,
  step TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  agent TEXT NOT NULL,
  topic TEXT NOT NULL,
  pool TEXT NOT NULL,
  request TEXT NOT NULL,
  payload TEXT NOT NULL,
  undo TEXT NOT NULL,
  job_hash TEXT NOT NULL,
  state TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  caller TEXT NOT NULL,
  parent_job_id TEXT,
  delegation TEXT NOT NULL,
  approval_id TEXT,
  approval_token TEXT,
  tries INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  committed INTEGER NOT NULL,
  reported INTEGER NOT NULL,
  reserved TEXT NOT NULL,
  lease_id TEXT,
  lease_until_ms INTEGER,
  worker TEXT,
  worker_agent TEXT,
  decision TEXT NOT NULL,
  reason TEXT NOT NULL,
  output TEXT NOT NULL,
  undo_of TEXT,
  undo_owed INTEGER NOT NULL,
  revoked_ms INTEGER,
  duties TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_step ON jobs (run_id, step, attempt);
CREATE INDEX jobs_due ON jobs (pool, duties, due_ms) WHERE state IN ('scheduled', 'retrying');
CREATE INDEX jobs_live ON jobs (state)
  WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'timed_out', 'denied', 'quarantined');
CREATE UNIQUE INDEX jobs_lease ON jobs (lease_id) WHERE lease_id IS NOT NULL;
CREATE INDEX jobs_lapsing ON jobs (lease_until_ms) WHERE state IN ('dispatched', 'running');
CREATE INDEX jobs_held ON jobs (lease_until_ms) WHERE undo_owed = 1 OR revoked_ms IS NOT NULL;

-- The agents that take part in a run.
CREATE TABLE parties (run_id TEXT NOT NULL, agent TEXT NOT NULL, PRIMARY KEY (run_id, agent)) STRICT, WITHOUT ROWID;

-- Who is answered for by a job that a worker has: its agent and all that handed it on.
CREATE TABLE flights (agent TEXT NOT NULL, job_id TEXT NOT NULL, PRIMARY KEY (agent, job_id)) STRICT, WITHOUT ROWID;

CREATE TABLE moves (
  job_id TEXT NOT NULL, n INTEGER NOT NULL, move TEXT NOT NULL, gate TEXT NOT NULL, at_ms INTEGER NOT NULL,
  PRIMARY KEY (job_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE approvals (
  approval_id TEXT PRIMARY KEY,
  job_id TEXT NOT NULL,
  job_hash TEXT NOT NULL,
  roles TEXT NOT NULL,
  granted TEXT NOT NULL,
  policy_snapshot TEXT NOT NULL,
  params_hash TEXT NOT NULL,
  token_hash TEXT NOT NULL,
  state TEXT NOT NULL,
  agent TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX approvals_state ON approvals (state, expires_ms);

CREATE TABLE answers (
  caller TEXT NOT NULL, key TEXT NOT NULL, body_hash TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_age ON answers (at_ms);

CREATE TABLE outbox (n INTEGER PRIMARY KEY AUTOINCREMENT, pool TEXT NOT NULL, job_id TEXT NOT NULL) STRICT;

CREATE TABLE letters (
  job_id TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL, at_ms INTEGER NOT NULL, retried_as TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (seq INTEGER PRIMARY KEY, line BLOB NOT NULL, run_id TEXT NOT NULL, job_id TEXT NOT NULL) STRICT;
CREATE INDEX ledger_run ON ledger (run_id, seq) WHERE run_id <> '';

-- What private fields were hashed with, and what they held; rows may be deleted, the ledger stays whole.
CREATE TABLE secrets (seq INTEGER PRIMARY KEY, salt BLOB NOT NULL, private TEXT NOT NULL) STRICT;

CREATE TABLE bundles (snapshot TEXT PRIMARY KEY, bundle BLOB NOT NULL, at_ms INTEGER NOT NULL) STRICT;
CREATE TABLE states (
  seq INTEGER PRIMARY KEY, snapshot TEXT NOT NULL, blob BLOB NOT NULL, deadlines TEXT NOT NULL
) STRICT;

CREATE TABLE tokens (
  id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL, roles TEXT NOT NULL, agent TEXT, approves TEXT NOT NULL,
  pools TEXT NOT NULL, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, revoked_ms INTEGER,
  events TEXT NOT NULL DEFAULT '[]'
) STRICT, WITHOUT ROWID;

CREATE TABLE agents (agent TEXT PRIMARY KEY, reason TEXT NOT NULL, suspended_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
