import { Anchor } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import type { ComponentProps } from "react";

/** A link within a line of text, to another page of the dashboard. */
export const TextLink = createLink((props: ComponentProps<"a">) => (
  <Anchor inherit underline="always" {...props} />
));
