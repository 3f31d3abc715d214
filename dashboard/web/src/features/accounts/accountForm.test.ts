import { expect, test } from "vitest";
import {
  type AccountFields,
  addedAccountOf,
  credentialsOf,
  problemsOf,
} from "@/features/accounts/accountForm";

const FIELDS: AccountFields = {
  way: "apiKey",
  name: " mine ",
  baseUrl: "https://api.openai.com/v1",
  apiKey: " sk-1\n",
  accessToken: "a",
  refreshToken: "r",
  idToken: "",
  tokenUrl: "https://auth.example/token",
  clientId: "c",
  chatgptAccountId: "",
  usageUrl: "",
  authJson: '{"OPENAI_API_KEY": "sk-1"}',
};

test("only the secrets of the chosen way are sent, without the blanks around them", () => {
  expect(credentialsOf(FIELDS)).toEqual({ apiKey: "sk-1" });
  expect(credentialsOf({ ...FIELDS, way: "tokens" })).toEqual({ accessToken: "a", refreshToken: "r" });
  expect(credentialsOf({ ...FIELDS, way: "authJson" })).toEqual({ authJson: FIELDS.authJson });
});

test("where a token is refreshed belongs to tokens alone", () => {
  expect(addedAccountOf(FIELDS)).not.toHaveProperty("tokenUrl");
  expect(addedAccountOf({ ...FIELDS, way: "tokens" })).toMatchObject({ name: "mine", clientId: "c" });
});

test("what is missing is named", () => {
  const empty = { ...FIELDS, name: " ", apiKey: "", tokenUrl: "", authJson: "" };
  expect(Object.keys(problemsOf(empty, false))).toEqual(["apiKey", "name"]);
  expect(Object.keys(problemsOf(empty, true))).toEqual(["apiKey"]);
  expect(Object.keys(problemsOf({ ...empty, way: "tokens" }, false))).toEqual(["name", "tokenUrl"]);
  expect(Object.keys(problemsOf({ ...empty, way: "authJson" }, false))).toEqual(["authJson"]);
});

test("a text that can be no auth.json is told before it is sent", () => {
  for (const authJson of ["{", "[]", "null", "secret"]) {
    expect(problemsOf({ ...FIELDS, way: "authJson", authJson }, false).authJson).toContain("auth.json");
  }
  expect(problemsOf({ ...FIELDS, way: "authJson" }, false)).toEqual({});
});
