import { setNonce } from "get-nonce";

/** The nonce that the service gave this document: style elements made at run time must carry it. */
export const nonce = document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";

setNonce(nonce);
