import { z } from "zod";

export const SOURCES = ["all", "dashboard", "quotad"] as const;

/** Whose changes are shown; it stands in the address. */
export const auditSearch = z.object({ source: z.enum(SOURCES).optional().catch(undefined) });
