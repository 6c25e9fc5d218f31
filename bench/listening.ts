/** Where a plain route listens: one of several processes, which share the port that they are told. */
export const PLACE = { hostname: "127.0.0.1", port: Number(process.env.PORT), reusePort: true };

/** What it prints then, for whoever has started it. */
export const LISTENING = /listening on (\d+)/;

export const tellPort = ({ port }: { readonly port?: number | undefined }): void =>
  void process.stdout.write(`listening on ${port}\n`);
