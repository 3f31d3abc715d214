import { expect, test } from "vitest";
import { browserName } from "@/features/security/userAgent";

const GECKO = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const EDGE =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0";
const PHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1 (KHTML, like Gecko) Version/18.0 Mobile Safari/604.1";

test.each([
  [GECKO, "Firefox on Linux"],
  [EDGE, "Edge on Windows"],
  [PHONE, "Safari on iOS"],
  ["curl/8.5.0", "curl"],
  ["python-httpx2/2.16 more", "python-httpx2/2.16"],
  ["", "Unknown"],
])("a browser is told by its name and system", (userAgent, name) => {
  expect(browserName(userAgent)).toBe(name);
});
