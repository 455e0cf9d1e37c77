import type { Kernel } from "@jupyterlab/services";

type Connection = Kernel.IKernelConnection;

/**
 * A kernel connection, as much of it as is used here. JupyterLab and Notebook 7 have all of it; a
 * front end of another kind may hand out one without signals or without a control channel.
 */
export type KernelConnection = Pick<Connection, "clientId" | "username" | "status" | "interrupt"> &
  Partial<
    Pick<
      Connection,
      | "sendControlMessage"
      | "anyMessage"
      | "iopubMessage"
      | "statusChanged"
      | "connectionStatusChanged"
    >
  >;
