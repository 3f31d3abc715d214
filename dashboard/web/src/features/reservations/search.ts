import { z } from "zod";

/** The page's words for the ledger's states. */
export const STATES = {
  reserved: "Open",
  finalized: "Charged",
  released: "Given back",
  expired: "Expired",
} as const;
export type State = keyof typeof STATES;
export const STATE_NAMES = Object.keys(STATES) as State[];

/** Ages from which a hold is worth a look. */
export const AGES = { "60": "1 min", "300": "5 min", "1800": "30 min", "3600": "1 h" } as const;
export const AGE_NAMES = Object.keys(AGES) as Array<keyof typeof AGES>;

const text = z.string().max(256).optional().catch(undefined);

/** The Reservations page's state as it stands in the address; without a state it shows the open ones. */
export const reservationSearch = z.object({
  state: z.enum(STATE_NAMES).optional().catch(undefined),
  age: z.enum(AGE_NAMES).optional().catch(undefined),
  apiKeyId: text,
  /** Tokens of the pages before this one, the present page's last. */
  page: z
    .union([z.string().max(256), z.array(z.string().max(256)).max(1000)])
    .transform((value) => [value].flat())
    .optional()
    .catch(undefined),
});

export type ReservationSearch = z.output<typeof reservationSearch>;
