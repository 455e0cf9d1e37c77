import { initSegment } from 'vovk';
import AdminController from '../../../../modules/AdminController';

export const runtime = 'nodejs';

export const { GET, POST } = initSegment({
  segmentName: 'admin',
  emitSchema: true,
  controllers: { AdminRPC: AdminController },
});
