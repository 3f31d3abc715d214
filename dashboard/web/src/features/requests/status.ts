import type { RequestLog } from "@/api/schema.gen";

type Status = RequestLog["status"];
type Look = { label: string; color: string; meaning: string };

/** How each outcome of a request reads; the words are the log's own. */
const STATUSES: Record<Status, Look> = {
  ok: { label: "OK", color: "teal", meaning: "Answered by the upstream." },
  quota: { label: "Quota", color: "orange", meaning: "Refused: a limit of the key is used up." },
  rate_limit: {
    label: "Rate limit",
    color: "yellow",
    meaning: "Refused: a limit of the key is full, and will soon have room.",
  },
  error: { label: "Error", color: "red", meaning: "Failed; nothing more was tried." },
  cancelled: { label: "Cancelled", color: "gray", meaning: "The client left before the end." },
};

export function statusLook(status: Status): Look {
  return STATUSES[status];
}

const SETTLEMENTS: Record<RequestLog["settlement"], string> = {
  finalized: "Charged",
  released: "Given back",
  pending: "Being settled",
  none: "Nothing was held",
};

export function settlementWords(settlement: RequestLog["settlement"]): string {
  return SETTLEMENTS[settlement];
}

const BASES: Record<string, string> = {
  reported: "what the upstream reported",
  estimated: "an estimate: the upstream reported nothing",
  reserved: "what was held: the upstream reported nothing",
  none: "nothing",
};

export function basisWords(basis: string): string {
  return BASES[basis] ?? basis;
}

/** Worth a second look: charged, but not on the upstream's own word. */
export function isUncertain({ settlement, basis }: RequestLog): boolean {
  return settlement === "finalized" && basis !== "reported";
}
