// The connections of one client. kafkajs cannot be told to give up at once: it waits for answers and tries again. Who must be sure
// that nothing more is sent takes the connections away from it, for good.

import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';

const KEEP_ALIVE_MS = 60_000;

interface SocketRequest {
  readonly host: string;
  readonly port: number;
  readonly ssl: TlsOptions;
  readonly onConnect: () => void;
}

export class Sockets {
  readonly #open = new Set<Socket>();
  #isOver = false;

  /** Given to kafkajs. */
  readonly create = ({ host, port, ssl, onConnect }: SocketRequest): Socket => {
    // A name in the certificate is compared with the name that we asked for; addresses have none to send.
    const socket = (ssl as TlsOptions | null)
      ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect)
      : connectPlain({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setNoDelay(true);
    if (this.#isOver) {
      socket.destroy();
      return socket;
    }
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return socket;
  };

  /** Cuts all connections and lets no other be made. */
  destroy(): void {
    this.#isOver = true;
    for (const socket of this.#open) socket.destroy();
  }
}
