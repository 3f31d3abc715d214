import { AppShell, Burger, Button, Group, NavLink, Stack } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import {
  IconAdjustments,
  IconBan,
  IconFolders,
  IconGauge,
  IconHistory,
  IconKey,
  IconLayoutDashboard,
  IconListDetails,
  IconLock,
  IconLogout,
  IconServer2,
  IconShieldLock,
} from "@tabler/icons-react";
import { Link, Outlet, useLocation } from "@tanstack/react-router";
import { Brand } from "@/components/Brand";
import { ColorSchemeMenu } from "@/components/ColorSchemeMenu";
import { PollingButton } from "@/components/PollingButton";
import { useSignOut } from "@/features/session/session";
import { useChanges } from "@/lib/useChanges";
import { HEADER_PIXELS } from "@/theme";

const PAGES = [
  { to: "/overview", label: "Overview", icon: IconLayoutDashboard },
  { to: "/requests", label: "Requests", icon: IconListDetails },
  { to: "/refusals", label: "Refusals", icon: IconBan },
  { to: "/limits", label: "Rate limits", icon: IconGauge },
  { to: "/reservations", label: "Reservations", icon: IconLock },
  { to: "/keys", label: "Keys", icon: IconKey },
  { to: "/groups", label: "Groups", icon: IconFolders },
  { to: "/accounts", label: "Accounts", icon: IconServer2 },
  { to: "/settings", label: "Settings", icon: IconAdjustments },
  { to: "/security", label: "Security", icon: IconShieldLock },
  { to: "/audit", label: "Audit log", icon: IconHistory },
] as const;

/** The frame of every page behind the sign-in. */
export function Shell() {
  const [opened, menu] = useDisclosure(false);
  useChanges();
  return (
    <AppShell
      header={{ height: HEADER_PIXELS }}
      navbar={{ width: 184, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "sm", md: "md" }}
    >
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={opened} onClick={menu.toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" />
            <Brand />
          </Group>
          <Group gap={6} wrap="nowrap">
            <PollingButton />
            <ColorSchemeMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs">
        <Navigation onNavigate={menu.close} />
      </AppShell.Navbar>
      <AppShell.Main>
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

function Navigation({ onNavigate }: { onNavigate: () => void }) {
  const { pathname } = useLocation();
  const signOut = useSignOut();
  return (
    <Stack h="100%" justify="space-between" gap={0}>
      <div>
        {PAGES.map(({ to, label, icon: Icon }) => (
          <NavLink
            key={to}
            component={Link}
            to={to}
            label={label}
            leftSection={<Icon size={18} stroke={1.6} />}
            active={pathname === to}
            onClick={onNavigate}
          />
        ))}
      </div>
      <Button
        variant="subtle"
        color="gray"
        justify="flex-start"
        leftSection={<IconLogout size={18} stroke={1.6} />}
        loading={signOut.isPending}
        onClick={() => signOut.mutate()}
      >
        Sign out
      </Button>
    </Stack>
  );
}
