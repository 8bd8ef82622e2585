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
}

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
}

/** The bytes are no module that `gov build` writes, or it does what no such module does. */
export class ModuleError extends TypeError {}

export class Policy {
  private constructor();
  readonly schema: Schema;

  /** The policy in the bytes of a module, or in a module that is compiled already.
   *
   * Rejects with a ModuleError if it is no module that `gov build` writes, with a RangeError for a parameter that is
   * unknown or out of range.
   */
  static load(
    source: BufferSource | WebAssembly.Module,
    options?: { params?: Record<string, unknown> },
  ): Promise<Policy>;

  /** The outcome of a request; `runtime` is the host's part of it, `nowMs` the time since 1970 in ms (UTC).
   *
   * What cannot be read is an outcome (deny by `invalid_request`), never an exception.
   */
  decide(
    request: Record<string, unknown>,
    options?: { runtime?: Record<string, unknown> | null; nowMs?: number | bigint | null },
  ): Outcome;
}
