// Enforcing quota from Node, on plain stubs: every rule of docs/grpc.md that a caller has to keep, in one file.
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import protobuf from "protobufjs";

const PROTO = fileURLToPath(new URL("../../../protos/quota/v1/quota.proto", import.meta.url));

// Amounts are at most 10^15 and so fit into a JavaScript number; names stay as the contract writes them.
const SHAPE = { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true };
const { quota } = grpc.loadPackageDefinition(protoLoader.loadSync(PROTO, SHAPE));

// What the details of an error are made of. quota.v1.Error has the fields and numbers of google.rpc.Status.
const types = protobuf.loadSync(PROTO);
const standard = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  import "google/protobuf/duration.proto";
  message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
  message RetryInfo { google.protobuf.Duration retry_delay = 1; }
`, { keepCase: true }).root;
standard.addJSON(protobuf.common.get("google/protobuf/duration.proto").nested);
standard.resolveAll();

const CHANNEL = {
  // One of several addresses per call: `dns:///quotad.internal:50051`, or `ipv4:10.0.0.1:50051,10.0.0.2:50051`.
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  "grpc.enable_retries": 0, // the loop below repeats, and knows what an unknown outcome means
  "grpc.keepalive_time_ms": 30_000, // not below 10 s: the daemon closes connections that ping more often
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc.max_receive_message_length": 32 * 1024 * 1024,
};

// Nothing definite is known after these; the same call, with the same id, may be sent again.
const REPEATED = new Set([
  grpc.status.UNAVAILABLE,
  grpc.status.DEADLINE_EXCEEDED,
  grpc.status.CANCELLED,
  grpc.status.ABORTED,
]);
const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 1_000;

/** A definite answer of the ledger other than OK. */
export class Refused extends Error {
  constructor(message, reason, denial) {
    super(message);
    this.reason = reason; // QUOTA_EXCEEDED, RESERVATION_FENCED, ...: the table in docs/grpc.md
    this.denial = denial; // which limits are in the way; undefined unless it is about room
  }
}

/** No attempt had a definite answer. A Reserve that will not be served is then released; a Finalize is kept. */
export class OutcomeUnknown extends Error {}

export class QuotaClient {
  /** `tls` holds paths: `ca`, and `cert` and `key` for a daemon that asks for a client's certificate. */
  constructor(address, token, { tls, callMs = 5_000, retryMs = 10_000 } = {}) {
    this.stub = new quota.v1.QuotaService(address, credentials(tls), CHANNEL);
    this.token = token;
    this.callMs = callMs;
    this.retryMs = retryMs;
  }

  reserve = (request) => this.#call("Reserve", request);
  finalize = (request) => this.#call("Finalize", request);
  release = (request) => this.#call("Release", request);
  close = () => this.stub.close();

  /** Send one call, with the same content, until it has a definite answer or its time is up. */
  async #call(method, request) {
    const ends = Date.now() + this.retryMs;
    for (let wait = PAUSE_MS_MIN; ; wait = Math.min(wait * 2, PAUSE_MS_MAX)) {
      try {
        return await this.#attempt(method, request, Math.min(Date.now() + this.callMs, ends));
      } catch (error) {
        const { reason, denial, retryMs } = details(error);
        if (reason && !REPEATED.has(error.code)) throw new Refused(error.details, reason, denial);
        const next = Math.max(retryMs ?? 0, wait * (0.5 + Math.random()));
        if (!REPEATED.has(error.code) || Date.now() + next >= ends) throw new OutcomeUnknown(error.message);
        await pause(next);
      }
    }
  }

  #attempt(method, request, deadline) {
    const metadata = new grpc.Metadata();
    metadata.set("authorization", `Bearer ${this.token}`);
    return new Promise((resolve, reject) => {
      this.stub[method](request, metadata, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }
}

/** The ledger's reason, which limits are in the way, and when to come back; empty for an error that is not its own. */
function details(error) {
  const [status] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const found = {};
  for (const { type_url: url, value } of status ? decode(types, "quota.v1.Error", status).details : []) {
    const name = url.split("/").pop();
    if (name === "google.rpc.ErrorInfo") {
      const info = decode(standard, name, value);
      if (info.domain === "quota") found.reason = info.reason;
    } else if (name === "google.rpc.RetryInfo") {
      found.retryMs = milliseconds(decode(standard, name, value).retry_delay);
    } else if (name === "quota.v1.QuotaDenial") {
      const denial = decode(types, name, value);
      found.denial = { limits: denial.limits, retryMs: denial.retryAfter && milliseconds(denial.retryAfter) };
    }
  }
  return found;
}

function decode(root, name, bytes) {
  const type = root.lookupType(name);
  return type.toObject(type.decode(bytes), { longs: Number, enums: String, arrays: true });
}

const milliseconds = ({ seconds = 0, nanos = 0 }) => seconds * 1_000 + nanos / 1e6;

function credentials(tls) {
  if (!tls) return grpc.credentials.createInsecure();
  const [ca, key, cert] = [tls.ca, tls.key, tls.cert].map((path) => (path ? readFileSync(path) : null));
  return grpc.credentials.createSsl(ca, key, cert);
}
