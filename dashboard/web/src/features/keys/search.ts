import { z } from "zod";
import type { ApiKey } from "@/api/schema.gen";

const TEXT_CHARACTERS_MAX = 256;

/** The Keys page's state as it stands in the address. */
export const keySearch = z.object({
  search: z.string().max(TEXT_CHARACTERS_MAX).trim().optional().catch(undefined),
});

/** Whether a key is meant by a text: its name, its id, the visible beginning of its secret, or one of its groups. */
export function isMeant({ name, apiKeyId, secretPrefix, groupPath }: ApiKey, search = ""): boolean {
  const groups = groupPath.flatMap((step) => [step.name, step.groupId]);
  const wanted = search.toLowerCase();
  return [name, apiKeyId, secretPrefix, ...groups].some((text) => text.toLowerCase().includes(wanted));
}
