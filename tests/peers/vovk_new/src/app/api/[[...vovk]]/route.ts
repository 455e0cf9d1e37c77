import { initSegment } from 'vovk';
import FailsController from '../../../modules/FailsController';
import HelloController from '../../../modules/HelloController';
import RepliesController from '../../../modules/RepliesController';
import StreamsController from '../../../modules/StreamsController';
import ValidController from '../../../modules/ValidController';

export const runtime = 'nodejs';

const controllers = {
  HelloRPC: HelloController,
  StreamsRPC: StreamsController,
  FailsRPC: FailsController,
  RepliesRPC: RepliesController,
  ValidRPC: ValidController,
};

export const { GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS } = initSegment({ emitSchema: true, controllers });
