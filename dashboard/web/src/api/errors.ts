/** What the service answers instead of data: `{"error": {"code", "message"}}`. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  static async from(response: Response): Promise<ApiError> {
    const answer: unknown = await response.json().catch(() => null);
    const error = readError(answer);
    return new ApiError(
      response.status,
      error?.code ?? "unknown",
      error?.message ?? `The service answered ${response.status}.`,
    );
  }
}

/** The service did not answer at all: it is down, or the network between is. */
export class Unreachable extends Error {
  constructor() {
    super("The dashboard service does not answer.");
  }
}

const SESSION_OVER = new Set(["not_signed_in", "csrf_failed", "totp_required"]);

/** The session has ended, owes a code, or was replaced by another tab's sign-in: it must be read again. */
export function isSessionOver(error: unknown): boolean {
  return error instanceof ApiError && SESSION_OVER.has(error.code);
}

/** What was asked for is dangerous: the operator has to show again who they are. */
export function isStepUpDue(error: unknown): boolean {
  return error instanceof ApiError && error.code === "step_up_required";
}

function readError(answer: unknown): { code: string; message: string } | null {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) {
    return null;
  }
  const { error } = answer;
  if (typeof error !== "object" || error === null || !("code" in error) || !("message" in error)) {
    return null;
  }
  return { code: String(error.code), message: String(error.message) };
}
