// Owns reading the parts of URLs that people write, and showing URLs without their logins. Never connects.

/** A part of a URL without its escapes; one that is badly escaped is taken as it stands, as in `pass%word`. */
export function plainPart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A text that should have been a URL, for an error: what may be a password in it is left out. */
export function withoutLogin(text: string): string {
  return text.replace(/^([^/@]*\/\/)?.*@/s, '$1***@');
}
