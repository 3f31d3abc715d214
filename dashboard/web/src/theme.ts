import { Alert, Button, createTheme, Modal, Table, Tooltip } from "@mantine/core";

/** Height of the bar at the top; what sticks below it starts there. */
export const HEADER_PIXELS = 48;

/** Where black and white text are equally readable, 4.6 to 1: darker colours get white, lighter ones black. */
const EVEN_LUMINANCE = 0.18;

/** Dense and calm: small type, thin lines, one accent. */
export const theme = createTheme({
  primaryColor: "indigo",
  primaryShade: { light: 7, dark: 7 },
  autoContrast: true,
  luminanceThreshold: EVEN_LUMINANCE,
  defaultRadius: "sm",
  cursorType: "pointer",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
  headings: { fontWeight: "650", sizes: { h1: { fontSize: "1.25rem" }, h2: { fontSize: "1rem" } } },
  components: {
    Alert: Alert.extend({ defaultProps: { variant: "default" } }),
    Button: Button.extend({ styles: { label: { fontWeight: 500 } } }),
    Modal: Modal.extend({
      defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.5 } },
      styles: { title: { fontWeight: 600 } },
    }),
    Table: Table.extend({ defaultProps: { verticalSpacing: 5, horizontalSpacing: "sm" } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 250, withArrow: true } }),
  },
});
