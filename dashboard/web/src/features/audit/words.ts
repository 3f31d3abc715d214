import type { AuditEntry } from "@/api/schema.gen";

const KINDS: Record<string, string> = {
  api_key: "key",
  totp: "one-time passwords",
  recovery_codes: "recovery codes",
  recovery_code: "recovery code",
};
const OWN: Record<string, string> = {
  "create password": "Set the first password",
  "update password": "Changed the password",
  "create totp": "Turned one-time passwords on",
  "delete totp": "Turned one-time passwords off",
  "rotate recovery_codes": "Made new recovery codes",
  "use recovery_code": "Used a recovery code",
  "create session": "Signed in",
  "revoke session": "Ended a session",
};
const VERBS: Record<string, string> = {
  create: "Created",
  update: "Changed",
  rotate: "Rotated",
  delete: "Deleted",
  revoke: "Revoked",
  release: "Released",
};

/** What was done, in words: `Changed key ci-nightly`. */
export function changeWords(entry: AuditEntry): string {
  const { action, resourceKind } = entry;
  const own = entry.source === "dashboard" && OWN[`${action} ${resourceKind}`];
  if (own) {
    return own;
  }
  const kind = KINDS[resourceKind] ?? resourceKind.replaceAll("_", " ");
  const words = `${VERBS[action] ?? action} ${kind}`;
  const name = nameOf(entry.after) ?? nameOf(entry.before);
  return name ? `${words} ${name}` : words;
}

/** Who, without what every entry has: `operator at 127.0.0.1`, `root on the command line`. */
export function actorWords(entry: AuditEntry): string {
  const operator = /^operator session=\S+ address=(\S+)$/.exec(entry.actor);
  if (operator) {
    return `operator at ${operator[1]}`;
  }
  if (entry.actor.startsWith("os:")) {
    return `${entry.actor.slice(3)} on the command line`;
  }
  return entry.actor || `token ${entry.tokenName}`;
}

/** JSON with one field a line; what is no JSON stays as it is. */
export function readable(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}

function nameOf(json: string): string | null {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null && "name" in value ? String(value.name) : null;
  } catch {
    return null;
  }
}
