// For whatever is used as a browser's EventSource is.
export function print({ lastEventId, type, data }) {
  console.log(JSON.stringify({ id: lastEventId, type, data }));
}

export function printAll(source) {
  for (const name of ['message', 'delete', 'reset', 'gap']) source.addEventListener(name, print);
  source.addEventListener('error', (error) => console.error(error.message ?? 'the stream has ended'));
  return source;
}

// A page at the server's own origin, for libraries that need a browser.
export async function pageAt(url) {
  const { JSDOM } = await import('jsdom');
  return new JSDOM('', { url: new URL('/', url).href, pretendToBeVisual: true }).window;
}
