import { get, HttpException, HttpStatus, type VovkRequest } from 'vovk';
import HelloService from './hello/HelloService';

export default class FailsController {
  static controllerName = 'FailsController';

  // `value` is JSON; it is thrown after one item.
  @get.auto()
  static async *thrown(req: VovkRequest<undefined, { value: string }>) {
    yield { i: 0 };
    throw JSON.parse(req.nextUrl.searchParams.get('value'));
  }

  @get.auto()
  static async *error() {
    yield { i: 0 };
    throw new Error('went wrong');
  }

  @get.auto()
  static async *nothing() {
    yield { i: 0 };
    throw undefined;
  }

  @get.auto()
  static async *teapot() {
    yield { i: 0 };
    throw new HttpException(HttpStatus.I_AM_A_TEAPOT, 'a teapot');
  }

  // Before anything was yielded, but not before the stream.
  @get.auto()
  static async *atOnce() {
    if (Date.now()) throw new Error('went wrong at once');
    yield { i: 0 };
  }

  @get.auto()
  static beforeStream() {
    if (Date.now()) throw new HttpException(HttpStatus.FORBIDDEN, 'not allowed');
    return HelloService.streamTokens();
  }

  @get.auto()
  static reply() {
    throw new Error('no reply');
  }

  @get.auto()
  static replyTeapot() {
    throw new HttpException(HttpStatus.I_AM_A_TEAPOT, 'a teapot');
  }

  // As of a proxy in front of a server that is down.
  @get.auto()
  static page() {
    return new Response('<html><h1>Bad gateway</h1></html>', {
      status: 502,
      headers: { 'content-type': 'text/html' },
    });
  }
}
