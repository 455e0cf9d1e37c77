import { get, type VovkRequest } from 'vovk';

// A segment of its own, without a prefix.
export default class AdminController {
  @get('{name}/who-am-i')
  static whoAmI(req: VovkRequest, { name }: { name: string }) {
    return { name, path: req.nextUrl.pathname, authorization: req.headers.get('authorization') };
  }

  @get.auto()
  static async *ticks() {
    for (let i = 0; i < 3; i++) yield i;
  }
}
