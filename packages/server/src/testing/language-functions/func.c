/* A function that needs nothing but the C library: HTTP/1.1 as far as the contract needs it, a process a connection. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct request {
  FILE *in, *out;
  char what[16];
  int is_chunked;
  long left; /* of the body or of its present chunk */
  int is_over;
};

/* The next bytes of the body; 0 at its end. */
static size_t read_body(struct request *request, char *piece, size_t size) {
  char line[64];
  while (request->left == 0) {
    if (request->is_over || !request->is_chunked || fgets(line, sizeof line, request->in) == NULL) return 0;
    request->left = strtol(line, NULL, 16);
    if (request->left > 0) break;
    request->is_over = 1;
    fgets(line, sizeof line, request->in);
  }
  size_t wanted = (size_t)request->left < size ? (size_t)request->left : size;
  /* A byte at least, and what else has come already. */
  int first = fgetc(request->in);
  if (first == EOF) return 0;
  piece[0] = (char)first;
  size_t count = 1;
  while (count < wanted && count < 4096) {
    int next = fgetc(request->in);
    if (next == EOF) break;
    piece[count++] = (char)next;
  }
  request->left -= (long)count;
  if (request->left == 0 && request->is_chunked) fgets(line, sizeof line, request->in);
  return count;
}

static void answer(struct request *request, const char *text) {
  char piece[4096];
  while (read_body(request, piece, sizeof piece) > 0) continue;
  fprintf(request->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(text), text);
}

static void echo(struct request *request) {
  char piece[65536];
  size_t count;
  fprintf(request->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  fflush(request->out);
  while ((count = read_body(request, piece, sizeof piece)) > 0) {
    fprintf(request->out, "%zx\r\n", count);
    fwrite(piece, 1, count, request->out);
    fprintf(request->out, "\r\n");
    fflush(request->out);
  }
  fprintf(request->out, "0\r\n\r\n");
}

static void door(struct request *request) {
  char line[64] = "";
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((uint16_t)atoi(strrchr(getenv("OCI_LOCAL_ENDPOINT"), ':') + 1));
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 && write(fd, "knock\n", 6) == 6) {
    FILE *in = fdopen(fd, "r");
    fgets(line, sizeof line, in);
    fclose(in);
  }
  answer(request, line);
}

static const char *setting(const char *name) {
  const char *value = getenv(name);
  return value == NULL ? "" : value;
}

static void tell(struct request *request, int argc, char **argv) {
  char text[512];
  int length = snprintf(text, sizeof text, "%d %s %s", (int)getppid(), setting("FN_FN_NAME"), setting("COLOUR"));
  for (int at = 1; at < argc; at++) length += snprintf(text + length, sizeof text - length, " %s", argv[at]);
  answer(request, text);
}

static int read_head(struct request *request) {
  char line[8192];
  request->what[0] = '\0';
  request->is_chunked = request->is_over = 0;
  request->left = 0;
  if (fgets(line, sizeof line, request->in) == NULL) return 0;
  while (fgets(line, sizeof line, request->in) != NULL && strcmp(line, "\r\n") != 0) {
    if (strncasecmp(line, "Fn-Do:", 6) == 0) sscanf(line + 6, " %15s", request->what);
    if (strncasecmp(line, "Content-Length:", 15) == 0) request->left = atol(line + 15);
    if (strncasecmp(line, "Transfer-Encoding: chunked", 26) == 0) request->is_chunked = 1;
  }
  return 1;
}

static void serve(int fd, int argc, char **argv) {
  struct request request = {.in = fdopen(fd, "r"), .out = fdopen(dup(fd), "w")};
  while (read_head(&request)) {
    if (strcmp(request.what, "echo") == 0) echo(&request);
    else if (strcmp(request.what, "tell") == 0) tell(&request, argc, argv);
    else if (strcmp(request.what, "door") == 0) door(&request);
    else if (strcmp(request.what, "hang") == 0) sleep(600);
    fflush(request.out);
  }
  exit(0);
}

int main(int argc, char **argv) {
  const char *listener = getenv("FN_LISTENER") + strlen("unix:");
  int is_direct = strcmp(setting("MODE"), "direct") == 0;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int directory = (int)(strrchr(listener, '/') - listener);
  if (is_direct) snprintf(address.sun_path, sizeof address.sun_path, "%s", listener);
  else snprintf(address.sun_path, sizeof address.sun_path, "%.*s/phonylsnr.sock", directory, listener);
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 16) != 0) return 1;
  if (!is_direct && symlink("phonylsnr.sock", listener) != 0) return 1;
  signal(SIGCHLD, SIG_IGN);
  for (;;) {
    int fd = accept(server, NULL, NULL);
    if (fd >= 0 && fork() == 0) serve(fd, argc, argv);
    close(fd);
  }
}
