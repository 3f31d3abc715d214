import { expect, test } from "vitest";
import type { AuditEntry } from "@/api/schema.gen";
import { actorWords, changeWords, readable } from "@/features/audit/words";

const ENTRY: AuditEntry = {
  entryId: "1",
  source: "quotad",
  createTime: "2026-03-01T09:30:00Z",
  actor: "operator session=0123456789ab address=192.0.2.7",
  tokenName: "admin",
  action: "update",
  resourceKind: "api_key",
  resourceId: "key-1",
  before: '{"name":"old"}',
  after: '{"name":"ci"}',
};

test("a change is told by what was done to which key", () => {
  expect(changeWords(ENTRY)).toBe("Changed key ci");
  expect(changeWords({ ...ENTRY, action: "delete", after: "" })).toBe("Deleted key old");
  expect(changeWords({ ...ENTRY, action: "mend", resourceKind: "new_thing", before: "", after: "" })).toBe(
    "mend new thing",
  );
});

test("the dashboard's own changes have words of their own", () => {
  const own = { ...ENTRY, source: "dashboard", action: "delete", resourceKind: "totp" } as const;
  expect(changeWords(own)).toBe("Turned one-time passwords off");
});

test("who did it is told by where", () => {
  expect(actorWords(ENTRY)).toBe("operator at 192.0.2.7");
  expect(actorWords({ ...ENTRY, actor: "os:root" })).toBe("root on the command line");
  expect(actorWords({ ...ENTRY, actor: "" })).toBe("token admin");
});

test("what is no JSON stays as it is", () => {
  expect(readable('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(readable("{")).toBe("{");
});
