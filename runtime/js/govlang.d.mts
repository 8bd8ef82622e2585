/** An outcome's effect, from the loosest to the strictest. */
export type Decision = "allow" | "limit" | "throttle" | "require_human" | "deny";

/** A value in the unit of its field; whole numbers beyond 2⁵³ are BigInt. */
export type Value = string | boolean | number | bigint | string[];

/** What a host must do with an outcome; one that cannot must treat the outcome as deny. */
export type Obligation =
  | { do: string; args?: Record<string, Value>; for_ms?: number | bigint }
  | { limit: string; from?: number | bigint; to: number | bigint }
  | { require: string[]; expires_ms?: number | bigint }
  | { retry_ms: number | bigint }
  | { remedy: string; with?: Record<string, Value> };

export interface Outcome {
  decision: Decision;
  /** The deciding rule; `default` or `invalid_request` where no rule decides. */
  rule_id: string;
  reason: string;
  obligations: Obligation[];
  policy_snapshot: string;
  /** Of a `commit` over time: when something can change without a sample; null: never. */
  next_deadline_ms?: number | bigint | null;
}

/** A step of a trace that is no request; without `at_ms` it is of now. `key` is whose it is, where it is not shared. */
export type Step = { at_ms?: number | bigint; key?: string | Record<string, string> } & (
  | { event: string; fields?: Record<string, unknown> }
  | { signal: string; value: unknown }
  | { tick: true }
);

/** A field of the request or a parameter; `lo` and `hi` count steps of `stepNum / stepDen` of the unit. */
export interface Field {
  name: string;
  kind: "number" | "enum" | "set" | "bool" | "time" | "duration" | "text" | "path" | "key";
  lo: bigint;
  hi: bigint;
  stepNum: bigint;
  stepDen: bigint;
  unit: string;
  members: string[];
  /** The most bytes of a text. */
  max: number;
  optional: boolean;
  origin: "request" | "runtime" | "clock";
  rounding: "exact" | "up" | "down" | "nearest";
  implied: bigint | null;
}

/** A constant of the deployment, with its value where `load` is given none, in steps. */
export interface Param extends Field {
  default: bigint;
}

/** What a module tells of its policy. */
export interface Schema {
  policy: string;
  version: string;
  snapshot: string;
  timeZone: string | null;
  fields: Field[];
  params: Param[];
  rules: [name: string, because: string][];
  assumptions: string[];
  /** What limits limit: fields of the request and outputs. */
  targets: Field[];
  roles: string[];
  /** What a policy over time remembers and is told; null of another. */
  time: Time | null;
}

/** What a policy over time keeps for the one key of its module, and the events and signals that it takes in. */
export interface Time {
  key: string | null;
  longestMs: bigint;
  stateBytes: number;
  /** What the cells mean: a saved state is taken by an equal one only. */
  definition: string;
  scopes: ("shared" | "state")[];
  cells: { field: Field; scope: string; name: string; bytes: number; initial: bigint; cap: bigint | null; freshness: boolean }[];
  samples: { name: string; event: boolean; shared: boolean; fields: Field[]; function: string }[];
}

/** The bytes are no module that `gov build` writes, or it does what no such module does. */
export class ModuleError extends TypeError {}

/** A step, or a saved state, that cannot be used; nothing has changed then. `code` is its page in `gov help`. */
export class StateError extends RangeError {
  readonly code: "GOV415" | "GOV417" | "GOV418" | "GOV419";
}

export class Policy {
  private constructor();
  readonly schema: Schema;

  /** The policy in the bytes of a module, or in a module that is compiled already.
   *
   * Rejects with a ModuleError if it is no module that `gov build` writes, with a RangeError for a parameter that is
   * unknown or out of range. `key` is whose state a policy over time keeps; without it, that of the first sample.
   */
  static load(
    source: BufferSource | WebAssembly.Module,
    options?: { params?: Record<string, unknown>; key?: string | null },
  ): Promise<Policy>;

  /** The outcome of a request, a question; `runtime` is the host's part of it, `nowMs` the time since 1970 in ms (UTC).
   *
   * What cannot be read is an outcome (deny by `invalid_request`), never an exception.
   */
  decide(
    request: Record<string, unknown>,
    options?: { runtime?: Record<string, unknown> | null; nowMs?: number | bigint | null },
  ): Outcome;

  /** The outcome of a request that is carried out if it may; a policy over time remembers it. */
  commit(
    request: Record<string, unknown>,
    options?: { runtime?: Record<string, unknown> | null; nowMs?: number | bigint | null },
  ): Outcome;

  /** Takes in a step that is no request; gives the next deadline in ms, null for never. Throws a StateError. */
  observe(step: Step): number | bigint | null;

  /** What the module remembers, as bytes. */
  save(options?: { nowMs?: number | bigint }): Uint8Array;

  /** Goes on from saved bytes; `downtimeMs` is how long ago they were saved, null where nobody knows. Throws a StateError.
   *
   * `key` is whose state it is, which the bytes do not say: it must be given where the policy has a key
   * (`schema.time.key`), and from then on the module is that key's. One that keeps another key's state refuses.
   */
  restore(
    bytes: Uint8Array,
    options?: { key?: string | null; downtimeMs?: number | bigint | null; nowMs?: number | bigint },
  ): void;
}
