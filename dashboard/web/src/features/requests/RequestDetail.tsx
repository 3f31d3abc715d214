import { Alert, Stack, Text } from "@mantine/core";
import type { RequestLog } from "@/api/schema.gen";
import { FactSection, Facts } from "@/components/Facts";
import { AttemptList } from "@/features/requests/AttemptList";
import { DenialList } from "@/features/requests/DenialList";
import { readDenial } from "@/features/requests/denial";
import { basisWords, settlementWords, statusLook } from "@/features/requests/status";
import { amount, COST, count, milliseconds } from "@/lib/format";

/** Everything that the log knows about one request, in the order in which one asks. */
export function RequestDetail({ request }: { request: RequestLog }) {
  const denial = readDenial(request.denial);
  return (
    <Stack gap="lg">
      <Outcome request={request} />
      {denial && <DenialList denial={denial} />}
      <Tokens request={request} />
      <Settlement request={request} />
      <FactSection title="Timing">
        <Facts
          facts={[
            ["First byte", request.firstByteMs === null ? null : milliseconds(request.firstByteMs)],
            ["Duration", milliseconds(request.durationMs)],
          ]}
        />
      </FactSection>
      <FactSection title="Attempts">
        <AttemptList attempts={request.attempts} />
      </FactSection>
      <Origin request={request} />
    </Stack>
  );
}

function Outcome({ request }: { request: RequestLog }) {
  const { color, meaning } = statusLook(request.status);
  if (request.status === "ok") {
    return null;
  }
  return (
    <Alert
      p="sm"
      title={<Text span inherit c={color}>{`HTTP ${request.httpStatus} ${request.errorCode ?? ""}`}</Text>}
    >
      <Text size="sm">{request.errorMessage ?? meaning}</Text>
      {request.count > 1 && (
        <Text size="sm" mt="xs">
          {`This line stands for ${count(request.count)} requests, which came too fast for a line each. What it says is the first one's.`}
        </Text>
      )}
    </Alert>
  );
}

function Tokens({ request }: { request: RequestLog }) {
  if (request.inputTokens === null && request.outputTokens === null) {
    return null;
  }
  return (
    <FactSection title="Tokens and cost">
      <Facts
        facts={[
          ["Input", withPart(request.inputTokens, request.cachedInputTokens, "cached")],
          ["Output", withPart(request.outputTokens, request.reasoningTokens, "reasoning")],
          ["Total", request.totalTokens === null ? null : count(request.totalTokens)],
          ["Cost", request.costMicrousd === null ? null : amount(COST, request.costMicrousd)],
        ]}
      />
    </FactSection>
  );
}

function Settlement({ request }: { request: RequestLog }) {
  const { settlement, basis, reservationId } = request;
  return (
    <FactSection title="Settlement">
      <Facts
        facts={[
          ["Outcome", settlementWords(settlement)],
          ["Charged on", settlement === "finalized" && basis ? basisWords(basis) : null],
        ]}
        ids={[["Reservation", reservationId]]}
      />
    </FactSection>
  );
}

function Origin({ request }: { request: RequestLog }) {
  return (
    <FactSection title="Request">
      <Facts
        facts={[
          ["Key", request.apiKeyName],
          ["Account", request.accountName],
          ["Model", request.model],
          ["Answered as", request.stream ? "stream" : "one body"],
          ["Client", request.clientAddress],
          ["Program", request.userAgent],
          ["Retry", request.retryCount ? `number ${count(request.retryCount)}, says the program` : null],
        ]}
        ids={[
          ["Request", request.requestId],
          ["Key id", request.apiKeyId],
        ]}
      />
    </FactSection>
  );
}

function withPart(whole: number | null, part: number | null, word: string): string | null {
  if (whole === null) {
    return null;
  }
  return part ? `${count(whole)} (${count(part)} ${word})` : count(whole);
}
