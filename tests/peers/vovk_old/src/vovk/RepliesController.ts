import { del, get, patch, post, prefix, put, type VovkRequest } from 'vovk';

type Request = VovkRequest<unknown, Record<string, string>>;

async function echo(req: Request, { id }: { id: string }) {
  return { method: req.method, id, body: await req.json(), type: req.headers.get('content-type') };
}

@prefix('replies')
export default class RepliesController {
  static controllerName = 'RepliesController';

  @get('greeting/:id/of/:place')
  static greeting(req: Request, { id, place }: { id: string; place: string }) {
    const query = new URL(req.url).searchParams;
    return { id, place, search: new URL(req.url).search, query: Object.fromEntries(query) };
  }

  @post('items/:id')
  static save(req: Request, params: { id: string }) {
    return echo(req, params);
  }

  @put('items/:id')
  static replace(req: Request, params: { id: string }) {
    return echo(req, params);
  }

  @patch('items/:id')
  static change(req: Request, params: { id: string }) {
    return echo(req, params);
  }

  @del('items/:id')
  static remove(_req: Request, { id }: { id: string }) {
    return { method: 'DELETE', id };
  }

  @get.auto()
  static headers(req: Request) {
    return Object.fromEntries(req.headers);
  }

  // This version streams it.
  @get.auto()
  static list() {
    return [1, 2, 3];
  }

  // And fails over these two.
  @get.auto()
  static text() {
    return 'a text';
  }

  @get.auto()
  static nothing() {}

  @get.auto()
  static plainText() {
    return new Response('just a text', { headers: { 'content-type': 'text/plain; charset=utf-8' } });
  }

  @get.auto()
  static picture() {
    return new Response(Uint8Array.of(0x89, 0x50, 0x4e, 0x47), { headers: { 'content-type': 'image/png' } });
  }

  @get.auto()
  static noContent() {
    return new Response(null, { status: 204 });
  }

  // The automatic path of such a name follows other rules in each version.
  @get.auto()
  static getURLForXMLParser2() {
    return { found: true };
  }
}
