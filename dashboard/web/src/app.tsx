import { MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { forgetSession } from "@/features/session/session";
import { StepUpProvider } from "@/features/step-up/StepUp";
import { PollingProvider } from "@/lib/polling";
import { nonce } from "@/nonce";
import { createQueryClient } from "@/query";
import { createAppRouter } from "@/router";
import { theme } from "@/theme";

const queryClient = createQueryClient(() => {
  forgetSession(queryClient);
  void router.invalidate();
});
const router = createAppRouter(queryClient);

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" getStyleNonce={() => nonce}>
      <Notifications position="bottom-right" />
      <QueryClientProvider client={queryClient}>
        <PollingProvider>
          <StepUpProvider>
            <RouterProvider router={router} />
          </StepUpProvider>
        </PollingProvider>
      </QueryClientProvider>
    </MantineProvider>
  );
}
