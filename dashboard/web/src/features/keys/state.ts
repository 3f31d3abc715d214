import type { ApiKey } from "@/api/schema.gen";

/** Whether requests with a key are admitted at all. */
export function keyState({ disabled, expireTime }: ApiKey, now: Date): { label: string; color: string } {
  if (disabled) {
    return { label: "Disabled", color: "gray" };
  }
  if (expireTime !== null && new Date(expireTime) <= now) {
    return { label: "Expired", color: "red" };
  }
  return { label: "Active", color: "teal" };
}
