import type { Account } from "@/api/schema.gen";

type Look = { label: string; color: string; meaning: string };

/** What each state of an account means for the requests that it could serve. */
const STATES: Record<Account["state"], Look> = {
  active: { label: "Active", color: "teal", meaning: "Serves requests." },
  rate_limited: { label: "Rate limited", color: "yellow", meaning: "The upstream asked to wait." },
  quota_exceeded: { label: "Quota exceeded", color: "orange", meaning: "Its own quota upstream is used up." },
  paused: { label: "Paused", color: "gray", meaning: "An operator took it out of service." },
  reauth_required: { label: "Sign in again", color: "red", meaning: "Its refresh token was refused." },
  deactivated: { label: "Deactivated", color: "red", meaning: "The upstream has closed it." },
};

export function stateLook(state: Account["state"]): Look {
  return STATES[state];
}
