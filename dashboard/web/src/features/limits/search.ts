import { z } from "zod";

/** The Rate limits page's state as it stands in the address: the key whose headers are shown, and the order. */
export const limitSearch = z.object({
  apiKeyId: z.string().max(256).optional().catch(undefined),
  order: z.enum(["reset"]).optional().catch(undefined),
});
export type LimitSearch = z.output<typeof limitSearch>;
