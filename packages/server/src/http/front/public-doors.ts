import { publicRoutes } from "@chaya/contract";
import { sendAnswer } from "../answer.ts";
import type { ServedRoute, ServeExchange } from "../exchange.ts";

export interface PublicDoorsDeps {
  readonly version: string;
  /** The API description; made when it is first asked for. */
  readonly openApi: () => unknown;
  readonly metrics: ServeExchange;
}

/** The routes without a principal. While the server drains, the front refuses `/readyz` before it gets here. */
export function publicDoors(deps: PublicDoorsDeps): readonly ServedRoute[] {
  let description: Buffer | undefined;
  const openApi = () => {
    description ??= Buffer.from(JSON.stringify(deps.openApi()));
    return description;
  };
  const json =
    (body: () => Buffer): ServeExchange =>
    ({ response }) =>
      sendAnswer(response, {
        status: 200,
        headers: ["Content-Type", "application/json; charset=utf-8"],
        body: body(),
      });
  const constant = (value: unknown) => {
    const body = Buffer.from(JSON.stringify(value));
    return json(() => body);
  };
  return [
    { route: publicRoutes.root, serve: constant({ goto: "https://github.com/fnproject/fn", hello: "world!" }) },
    { route: publicRoutes.version, serve: constant({ version: deps.version }) },
    { route: publicRoutes.health, serve: constant({ status: "alive" }) },
    { route: publicRoutes.ready, serve: constant({ status: "ready" }) },
    { route: publicRoutes.metrics, serve: deps.metrics },
    { route: publicRoutes.openapi, serve: json(openApi) },
  ];
}
