import { z } from "zod";
import type { ApiKey } from "@/api/schema.gen";

const TEXT_CHARACTERS_MAX = 256;

/** The Keys page's state as it stands in the address. */
export const keySearch = z.object({
  search: z.string().max(TEXT_CHARACTERS_MAX).trim().optional().catch(undefined),
});

/** Whether a key is meant by a text: its name, its id, or the visible beginning of its secret. */
export function isMeant({ name, apiKeyId, secretPrefix }: ApiKey, search = ""): boolean {
  return [name, apiKeyId, secretPrefix].some((text) => text.toLowerCase().includes(search.toLowerCase()));
}
