// One request that is served, one that is refused, and one that is given up:
//   QUOTAD_ADDRESS=127.0.0.1:50051 QUOTAD_TOKEN=... QUOTA_API_KEY=... node example.mjs
import { randomUUID } from "node:crypto";
import { OutcomeUnknown, QuotaClient, Refused } from "./quota.mjs";

const { QUOTAD_ADDRESS, QUOTAD_TOKEN, QUOTA_API_KEY, QUOTAD_TLS_CA } = process.env;
const client = new QuotaClient(QUOTAD_ADDRESS, QUOTAD_TOKEN, { tls: QUOTAD_TLS_CA ? { ca: QUOTAD_TLS_CA } : undefined });
const scope = { api_key: QUOTA_API_KEY };
const say = (step, facts) => console.log(JSON.stringify({ step, ...facts }));

// The id is made before the first call, so that a lost answer costs nothing.
const request = {
  reservation_id: randomUUID(),
  api_key: QUOTA_API_KEY,
  model: "gpt-5.1",
  amounts: { input_tokens: 900, output_tokens: 100 },
};
const grant = await client.reserve(request);
say("reserved", { reserved: grant.reservation.reserved, replayed: grant.replayed });

// The same call again, as after a lost answer: what the first one did, and nothing more.
say("reserved again", { replayed: (await client.reserve(request)).replayed });

// From the first try on, this id is only ever finalized, never released.
const usage = { scope, reservation_id: request.reservation_id, amounts: { input_tokens: 900, output_tokens: 40 } };
const settled = await client.finalize(usage);
say("finalized", { state: settled.reservation.state, actual: settled.reservation.actual, changed: settled.changed });
say("finalized again", { replayed: (await client.finalize(usage)).replayed });

// A request that does not fit is told every limit in its way, and when to come back.
try {
  await client.reserve({ ...request, reservation_id: randomUUID(), amounts: { input_tokens: 200, output_tokens: 0 } });
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  const limits = error.denial.limits.map(({ metric, available, requested }) => ({ metric, available, requested }));
  say("refused", { reason: error.reason, limits, comes_back: error.denial.retryMs > 0 });
}

// A request that will not be served gives its hold back. So does one whose Reserve had an unknown outcome: Release
// of an id that never arrived is OK, and refuses the Reserve that comes late.
const given_up = { ...request, reservation_id: randomUUID(), amounts: { input_tokens: 10, output_tokens: 0 } };
try {
  await client.reserve(given_up);
} catch (error) {
  if (!(error instanceof OutcomeUnknown)) throw error;
}
const released = await client.release({ scope, reservation_id: given_up.reservation_id, reason: "not served" });
say("released", { state: released.reservation.state });
client.close();
