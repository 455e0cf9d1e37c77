import * as fs from 'fs/promises';
import * as path from 'path';
import { initVovk } from 'vovk';
import FailsController from '../../../vovk/FailsController';
import RepliesController from '../../../vovk/RepliesController';
import StreamsController from '../../../vovk/StreamsController';
import HelloController from '../../../vovk/hello/HelloController';

export const dynamic = 'force-dynamic';

export const { GET, POST, PUT, PATCH, DELETE } = initVovk({
  controllers: [HelloController, StreamsController, FailsController, RepliesController],
  async onMetadata(metadata, write) {
    // Usually it is written in development; here where a test asks for it.
    if (process.env.METADATA_FILE) await write(process.env.METADATA_FILE, metadata, { fs, path });
  },
});
