import { type UseFormReturnType, useForm } from "@mantine/form";
import type { AddedAccount, ImportedAccount, NewCredentials } from "@/api/schema.gen";

/** How an account is given. */
export type Way = "apiKey" | "tokens" | "authJson";

export type AccountFields = {
  way: Way;
  name: string;
  baseUrl: string;
  apiKey: string;
  accessToken: string;
  refreshToken: string;
  idToken: string;
  tokenUrl: string;
  clientId: string;
  chatgptAccountId: string;
  usageUrl: string;
  authJson: string;
};
export type AccountForm = UseFormReturnType<AccountFields>;

/** The form of a new account, or, with `isThere`, of other secrets for one that is there. */
export function useAccountForm(way: Way, { isThere = false } = {}): AccountForm {
  return useForm<AccountFields>({
    initialValues: { ...EMPTY, way },
    validate: (fields) => problemsOf(fields, isThere),
  });
}

const EMPTY: AccountFields = {
  way: "apiKey",
  name: "",
  baseUrl: "https://api.openai.com/v1",
  apiKey: "",
  accessToken: "",
  refreshToken: "",
  idToken: "",
  tokenUrl: "",
  clientId: "",
  chatgptAccountId: "",
  usageUrl: "",
  authJson: "",
};

const NEEDED: Record<Way, readonly (keyof AccountFields)[]> = {
  apiKey: ["apiKey"],
  tokens: ["accessToken", "refreshToken"],
  authJson: ["authJson"],
};
const NEEDED_ANEW: Record<Way, readonly (keyof AccountFields)[]> = {
  apiKey: ["name", "baseUrl"],
  tokens: ["name", "baseUrl", "tokenUrl"],
  authJson: [],
};

/** What is still missing, or can be no `auth.json`; what else is wrong the service says. */
export function problemsOf(
  fields: AccountFields,
  isThere: boolean,
): Partial<Record<keyof AccountFields, string>> {
  const needed = [...NEEDED[fields.way], ...(isThere ? [] : NEEDED_ANEW[fields.way])];
  const missing = needed.filter((name) => fields[name].trim() === "");
  const problems: Partial<Record<keyof AccountFields, string>> = Object.fromEntries(
    missing.map((name) => [name, "Needed"]),
  );
  if (fields.way === "authJson" && !problems.authJson && !isObject(fields.authJson)) {
    problems.authJson = "This is not the auth.json of the Codex CLI";
  }
  return problems;
}

export function addedAccountOf(fields: AccountFields): AddedAccount {
  const { name, baseUrl, tokenUrl, clientId, chatgptAccountId, usageUrl } = trimmed(fields);
  const common = { name, baseUrl, usageUrl };
  return fields.way === "apiKey"
    ? { ...common, ...credentialsOf(fields) }
    : { ...common, ...credentialsOf(fields), tokenUrl, clientId, chatgptAccountId };
}

export function importedAccountOf({ authJson, name }: AccountFields): ImportedAccount {
  return { authJson, name: name.trim() };
}

export function credentialsOf(fields: AccountFields): NewCredentials {
  const { apiKey, accessToken, refreshToken, idToken, authJson } = trimmed(fields);
  switch (fields.way) {
    case "apiKey":
      return { apiKey };
    case "tokens":
      return { accessToken, refreshToken, ...(idToken ? { idToken } : {}) };
    case "authJson":
      return { authJson };
  }
}

function trimmed(fields: AccountFields): AccountFields {
  const pairs = Object.entries(fields).map(([name, value]) => [name, value.trim()]);
  return { ...fields, ...Object.fromEntries(pairs) };
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
