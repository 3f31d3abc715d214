import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { z } from "zod";
import { NotFoundPage } from "@/components/NotFoundPage";
import { ServiceFailurePage } from "@/components/ServiceFailurePage";
import { Shell } from "@/components/Shell";
import { AccountsPage } from "@/features/accounts/AccountsPage";
import { AuditPage } from "@/features/audit/AuditPage";
import { auditSearch } from "@/features/audit/search";
import { GroupsPage } from "@/features/groups/GroupsPage";
import { KeysPage } from "@/features/keys/KeysPage";
import { keySearch } from "@/features/keys/search";
import { LimitsPage } from "@/features/limits/LimitsPage";
import { limitSearch } from "@/features/limits/search";
import { refusalSearch } from "@/features/refusals/search";
import { RequestsPage } from "@/features/requests/RequestsPage";
import { requestSearch, withoutDefaults } from "@/features/requests/search";
import { ReservationsPage } from "@/features/reservations/ReservationsPage";
import { reservationSearch } from "@/features/reservations/search";
import { SecurityPage } from "@/features/security/SecurityPage";
import { FirstStartPage } from "@/features/session/FirstStartPage";
import { requireNoPassword, requireSession, requireSignedOut } from "@/features/session/guards";
import { SignInPage } from "@/features/session/SignInPage";
import { SettingsPage } from "@/features/settings/SettingsPage";
import { parseSearchParams, stringifySearchParams } from "@/lib/searchParams";
import { rangeSearch } from "@/lib/timeRange";

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({ component: Outlet });

const firstStart = createRoute({
  getParentRoute: () => root,
  path: "/first-start",
  beforeLoad: requireNoPassword,
  component: FirstStartPage,
});

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: z.object({ next: z.string().optional().catch(undefined) }),
  beforeLoad: requireSignedOut,
  component: SignInPage,
});

const signedIn = createRoute({
  getParentRoute: () => root,
  id: "signed-in",
  beforeLoad: requireSession,
  component: Shell,
});

const home = createRoute({
  getParentRoute: () => signedIn,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/overview", replace: true });
  },
});

const requests = createRoute({
  getParentRoute: () => signedIn,
  path: "/requests",
  validateSearch: requestSearch,
  search: { middlewares: [({ search, next }) => withoutDefaults(next(search)) as typeof search] },
  component: RequestsPage,
});

const keys = createRoute({
  getParentRoute: () => signedIn,
  path: "/keys",
  validateSearch: keySearch,
  component: KeysPage,
});

const groups = createRoute({ getParentRoute: () => signedIn, path: "/groups", component: GroupsPage });

const accounts = createRoute({ getParentRoute: () => signedIn, path: "/accounts", component: AccountsPage });

const security = createRoute({ getParentRoute: () => signedIn, path: "/security", component: SecurityPage });

const audit = createRoute({
  getParentRoute: () => signedIn,
  path: "/audit",
  validateSearch: auditSearch,
  component: AuditPage,
});

const settings = createRoute({ getParentRoute: () => signedIn, path: "/settings", component: SettingsPage });

const overview = createRoute({
  getParentRoute: () => signedIn,
  path: "/overview",
  validateSearch: rangeSearch,
  component: lazyRouteComponent(() => import("@/features/overview/OverviewPage"), "OverviewPage"),
});

const refusals = createRoute({
  getParentRoute: () => signedIn,
  path: "/refusals",
  validateSearch: refusalSearch,
  component: lazyRouteComponent(() => import("@/features/refusals/RefusalsPage"), "RefusalsPage"),
});

const limits = createRoute({
  getParentRoute: () => signedIn,
  path: "/limits",
  validateSearch: limitSearch,
  component: LimitsPage,
});

const reservations = createRoute({
  getParentRoute: () => signedIn,
  path: "/reservations",
  validateSearch: reservationSearch,
  component: ReservationsPage,
});

const unknown = createRoute({ getParentRoute: () => signedIn, path: "$", component: NotFoundPage });

const routeTree = root.addChildren([
  firstStart,
  signIn,
  signedIn.addChildren([
    home,
    overview,
    requests,
    refusals,
    limits,
    reservations,
    keys,
    groups,
    accounts,
    settings,
    security,
    audit,
    unknown,
  ]),
]);

export function createAppRouter(queryClient: QueryClient) {
  return createRouter({
    routeTree,
    context: { queryClient },
    parseSearch: parseSearchParams,
    stringifySearch: stringifySearchParams,
    defaultErrorComponent: ServiceFailurePage,
    defaultNotFoundComponent: NotFoundPage,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
