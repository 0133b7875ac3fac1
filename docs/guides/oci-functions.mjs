// Makes an application and a function with Oracle's SDK, and calls it.
//   node oci-functions.mjs CONFIG PROFILE ENDPOINT IMAGE
import common from "oci-common";
import functions from "oci-functions";

const [config, profile, endpoint, image] = process.argv.slice(2);
const authenticationDetailsProvider = new common.ConfigFileAuthenticationDetailsProvider(config, profile);
const management = new functions.FunctionsManagementClient({ authenticationDetailsProvider });
const invocation = new functions.FunctionsInvokeClient({ authenticationDetailsProvider });
// The one change to code that was written for the cloud.
management.endpoint = endpoint;
invocation.endpoint = endpoint;

const { application } = await management.createApplication({
  createApplicationDetails: {
    compartmentId: authenticationDetailsProvider.getTenantId(),
    displayName: "from-oracle",
    subnetIds: ["ocid1.subnet.oc1..any"],
  },
});
const made = await management.createFunction({
  createFunctionDetails: { applicationId: application.id, displayName: "hello", image, memoryInMBs: 128 },
});
const { value } = await invocation.invokeFunction({
  functionId: made.function.id,
  invokeFunctionBody: JSON.stringify({ name: "Oracle" }),
});
console.log(await new Response(value).text());
