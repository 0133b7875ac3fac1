export { AnsweredProblem, answerProblem, ServerUnreachable, UnexpectedAnswer } from "./answer-problem.ts";
export {
  type BundleUpload,
  type Client,
  type ClientOptions,
  createClient,
  type InspectedCall,
  type InvokeRequest,
  type LogRequest,
} from "./client.ts";
export { readEvents, type ServerEvent } from "./event-stream.ts";
