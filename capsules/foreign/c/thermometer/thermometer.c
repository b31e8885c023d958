// Serves the temperature, in C. `persistent.h` is what wit-bindgen makes of
// the world `persistent` in capsules/wit; its names are long, and the macros
// below shorten the few that are used.
#include <stdlib.h>
#include <string.h>

#include "persistent.h"

#define SENSORS(name) ariel_wasm_bindings_sensors_api_##name
#define GUEST(name) exports_ariel_wasm_bindings_coap_server_guest_##name
#define LOG ariel_wasm_bindings_log_api_info
#define TEMPERATURE ARIEL_WASM_BINDINGS_SENSORS_API_LABEL_TEMPERATURE
#define THERMOMETERS ARIEL_WASM_BINDINGS_SENSORS_API_CATEGORY_TEMPERATURE
#define DISABLED ARIEL_WASM_BINDINGS_SENSORS_API_SAMPLE_METADATA_CHANNEL_DISABLED
#define UNAVAILABLE_NOW \
  ARIEL_WASM_BINDINGS_SENSORS_API_SAMPLE_METADATA_CHANNEL_TEMPORARILY_UNAVAILABLE
#define NOT_FOUND_ERROR EXPORTS_ARIEL_WASM_BINDINGS_COAP_SERVER_GUEST_COAP_ERR_NOT_FOUND

static const char PATH[] = "temperature";

// CoAP, RFC 7252.
enum { GET = 1 };
enum { CONTENT = 2 << 5 | 5, NOT_ALLOWED = 4 << 5 | 5, UNAVAILABLE = 5 << 5 | 3 };
enum { URI_PATH = 11, TEXT_PLAIN = 0xc0, PAYLOAD = 0xff };

static uint32_t served;

// Text that is being written, in a place with room for it.
struct text {
  uint8_t *bytes;
  size_t length;
};

static void put(struct text *text, const char *part) {
  size_t length = strlen(part);
  memcpy(text->bytes + text->length, part, length);
  text->length += length;
}

static void put_number(struct text *text, uint32_t number, int places) {
  if (number > 9 || places > 0) {
    put_number(text, number / 10, places - 1);
  }
  const char digit[] = {(char)('0' + number % 10), places ? 0 : '.', 0};
  put(text, digit);
}

// A number in an option's head: RFC 7252, 3.1. False where there is none.
static bool number(uint32_t nibble, const uint8_t **at, const uint8_t *end, uint32_t *value) {
  *value = nibble;
  if (nibble < 13) {
    return true;
  }
  uint32_t more = nibble - 12;
  if (more > 2 || (uint32_t)(end - *at) < more) {
    return false;
  }
  *value = more == 1 ? 13u + (*at)[0] : 269u + ((uint32_t)(*at)[0] << 8 | (*at)[1]);
  *at += more;
  return true;
}

// Whether the path in the options is `temperature`.
static bool is_temperature(const uint8_t *at, const uint8_t *end) {
  uint32_t option = 0, segments = 0;
  bool same = false;
  while (at < end && *at != PAYLOAD) {
    uint8_t head = *at++;
    uint32_t delta, length;
    if (!number(head >> 4, &at, end, &delta) || !number(head & 15, &at, end, &length) ||
        (uint32_t)(end - at) < length) {
      return false;
    }
    option += delta;
    if (option == URI_PATH) {
      segments++;
      same = length == sizeof PATH - 1 && memcmp(at, PATH, length) == 0;
    }
    at += length;
  }
  return same && segments == 1;
}

// Writes a reading; false where there is none.
static bool put_temperature(struct text *text) {
  SENSORS(category_t) category = THERMOMETERS;
  SENSORS(label_t) label = TEMPERATURE;
  SENSORS(list_tuple2_sample_channel_t) readings;
  if (!SENSORS(trigger_measurements)(&category) ||
      !SENSORS(wait_for_reading)(&label, &readings)) {
    return false;
  }
  bool found = false;
  for (size_t i = 0; i < readings.len && !found; i++) {
    SENSORS(sample_t) sample = readings.ptr[i].f0;
    int8_t scaling = readings.ptr[i].f1.scaling;
    uint8_t metadata = sample.metadata.tag;
    found = metadata != DISABLED && metadata != UNAVAILABLE_NOW && scaling > -10 && scaling <= 0;
    if (found) {
      uint32_t digits = (uint32_t)sample.value;
      if (sample.value < 0) {
        put(text, "-");
        digits = 0 - digits;
      }
      put_number(text, digits, scaling ? -scaling : -1);
    }
  }
  SENSORS(list_tuple2_sample_channel_free)(&readings);
  return found;
}

bool GUEST(initialize_handler)(void) {
  persistent_string_t line;
  persistent_string_set(&line, "a thermometer in C starts");
  LOG(&line);
  return true;
}

bool GUEST(report)(persistent_list_string_t *paths, GUEST(coap_err_t) * error) {
  (void)error;
  // The bindings free it once the device has read it.
  paths->len = 1;
  paths->ptr = malloc(sizeof *paths->ptr);
  if (!paths->ptr) {
    abort();
  }
  persistent_string_dup(paths->ptr, PATH);
  return true;
}

// The answer is written to where the request was, which has room for both.
bool GUEST(coap_run)(uint8_t code, uint32_t length, persistent_list_u8_t *message,
                     persistent_tuple2_u8_list_u8_t *answer, GUEST(coap_err_t) * error) {
  bool found = length <= message->len && is_temperature(message->ptr, message->ptr + length);
  struct text text = {message->ptr, 0};
  answer->f0 = NOT_ALLOWED;
  if (found && code == GET) {
    static const char HEAD[] = {(char)TEXT_PLAIN, (char)PAYLOAD, 0};
    put(&text, HEAD);
    if (put_temperature(&text)) {
      put(&text, " °C, no. ");
      put_number(&text, ++served, -1);
      persistent_string_t line = {text.bytes + 2, text.length - 2};
      LOG(&line);
      answer->f0 = CONTENT;
      answer->f1 = (persistent_list_u8_t){text.bytes, text.length};
      return true;
    }
    answer->f0 = UNAVAILABLE;
  }
  // Bindings do not free an answer without bytes.
  persistent_list_u8_free(message);
  answer->f1 = (persistent_list_u8_t){NULL, 0};
  *error = NOT_FOUND_ERROR;
  return found;
}
