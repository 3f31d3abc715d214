import { z } from "zod";
import { rangeSearch } from "@/lib/timeRange";

const id = z.string().max(256).optional().catch(undefined);

/** The Refusals page's state as it stands in the address. */
export const refusalSearch = rangeSearch.extend({ apiKeyId: id, limitId: id });
export type RefusalSearch = z.output<typeof refusalSearch>;
