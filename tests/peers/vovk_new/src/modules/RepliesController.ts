import { del, get, patch, post, prefix, put, type VovkRequest } from 'vovk';

async function echo(req: VovkRequest<unknown>, { id }: { id: string }) {
  return { method: req.method, id, body: await req.json(), type: req.headers.get('content-type') };
}

@prefix('replies')
export default class RepliesController {
  @get('greeting/{id}/of/{place}')
  static greeting(req: VovkRequest, { id, place }: { id: string; place: string }) {
    return { id, place, search: req.nextUrl.search, query: req.vovk.query() };
  }

  @post('items/{id}')
  static save = echo;

  @put('items/{id}')
  static replace = echo;

  @patch('items/{id}')
  static change = echo;

  @del('items/{id}')
  static remove(_req: VovkRequest, { id }: { id: string }) {
    return { method: 'DELETE', id };
  }

  @post.auto()
  static async upload(req: VovkRequest) {
    const form = await req.formData();
    const file = form.get('file') as File;
    const data = new Uint8Array(await file.arrayBuffer());
    return { title: form.get('title'), tags: form.getAll('tags'), file: [file.name, file.type, ...data] };
  }

  @get.auto()
  static headers(req: VovkRequest) {
    return Object.fromEntries(req.headers);
  }

  @get.auto()
  static list() {
    return [1, 2, 3];
  }

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
