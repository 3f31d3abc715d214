import createClient, { type Middleware } from "openapi-fetch";
import { ApiError, Unreachable } from "@/api/errors";
import type { paths } from "@/api/schema.gen";

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

let csrfToken: string | null = null;

/** The token that the service wants back with every unsafe call; it comes with the session. */
export function rememberCsrfToken(token: string | null): void {
  csrfToken = token;
}

const csrf: Middleware = {
  onRequest({ request }) {
    if (csrfToken && !SAFE_METHODS.has(request.method)) {
      request.headers.set("X-CSRF-Token", csrfToken);
    }
    return request;
  },
};

/** Every answer that is not 2xx is thrown, so that a caller has data or an error, never neither. */
const failures: Middleware = {
  async onResponse({ response }) {
    if (!response.ok) {
      throw await ApiError.from(response);
    }
  },
  onError({ error }) {
    return error instanceof TypeError ? new Unreachable() : undefined;
  },
};

export const api = createClient<paths>({ baseUrl: window.location.origin });
api.use(csrf, failures);

/** The body of an answer that, by its contract, has one. */
export function body<T>({ data }: { data?: T }): T {
  if (data === undefined) {
    throw new ApiError(502, "empty_answer", "The service answered without a body.");
  }
  return data;
}
