import { Center, Stack } from "@mantine/core";
import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { Brand } from "@/components/Brand";
import { Failure } from "@/components/Failure";

/** Where a page cannot even begin, because the service does not say who is looking. */
export function ServiceFailurePage({ error }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <Center mih="100dvh" p="md">
      <Stack w="100%" maw={520}>
        <Brand />
        <Failure
          title="The page cannot start"
          error={asError(error)}
          onRetry={() => void router.invalidate()}
        />
      </Stack>
    </Center>
  );
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
