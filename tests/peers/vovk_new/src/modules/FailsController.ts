import { get, HttpException, HttpStatus, prefix, type VovkRequest } from 'vovk';
import HelloService from './HelloService';

@prefix('fails')
export default class FailsController {
  // `value` is JSON; it is thrown after one item.
  @get.auto()
  static async *thrown(req: VovkRequest<unknown, { value: string }>) {
    yield { i: 0 };
    throw JSON.parse(req.nextUrl.searchParams.get('value'));
  }

  @get.auto()
  static async *error() {
    yield { i: 0 };
    throw new Error('went wrong', { cause: { why: 'because' } });
  }

  @get.auto()
  static async *nothing() {
    yield { i: 0 };
    throw undefined;
  }

  @get.auto()
  static async *teapot() {
    yield { i: 0 };
    throw new HttpException(HttpStatus.I_AM_A_TEAPOT, 'a teapot', { why: 'short and stout' });
  }

  // Before anything was yielded, but not before the stream.
  @get.auto()
  static async *atOnce() {
    if (Date.now()) throw new Error('went wrong at once');
    yield { i: 0 };
  }

  @get.auto()
  static beforeStream() {
    if (Date.now()) throw new HttpException(HttpStatus.FORBIDDEN, 'not allowed', { why: 'a guard' });
    return HelloService.streamTokens();
  }

  @get.auto()
  static reply() {
    throw new Error('no reply', { cause: { why: 'because' } });
  }

  @get.auto()
  static replyTeapot() {
    throw new HttpException(HttpStatus.I_AM_A_TEAPOT, 'a teapot', { why: 'short and stout' });
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
