// Runs one feature of a client and prints what it gives back as one line of JSON.

const [, , feature, options] = process.argv;

export const baseURL = process.env.GATEWAY_URL;
export const apiKey = process.env.GATEWAY_KEY;

export async function run(features) {
  let result;
  try {
    result = await features[feature](JSON.parse(options));
  } catch (error) {
    result = { error: described(error) };
  }
  console.log(JSON.stringify(result));
}

export function described(error) {
  const { name, message, status, statusCode, code, request_id, isRetryable } = error;
  return { class: error.constructor.name, name, message, status: status ?? statusCode, code, request_id, isRetryable };
}
