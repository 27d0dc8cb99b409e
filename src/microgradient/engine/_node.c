/* Value in C: storage, operators, sweeps. engine/value.py defines what each of them does.

What is fast is here; everything else (other types of operands, error messages, watching, printing,
copies, operations without a kernel) is the Python of value.py, which take_over() puts on the type or
which the functions here call. Results are equal to the last bit; tests/test_native.py compares.

A node has 80 bytes: one or two parents and the partials by them in place, more in a block of edges.
It holds older nodes only, so graphs have no cycles and the garbage collector need not know nodes:
the type lacks its flag. Dropped nodes are freed by a loop, since recursion would overflow the stack.

All functions run under the interpreter's lock. Between marking nodes and reading the marks, sweeps
call no Python and make nothing that the collector counts (it may run Python, on 3.11 at once), so no
other sweep comes in between. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000 /* the stable ABI: one file for Python 3.11 and later */
#endif
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if (defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0) || defined(__FAST_MATH__)
#error "arithmetic would be rounded differently than Python's"
#endif

typedef struct Node Node;
typedef struct { Node *parent; double partial; } Edge;
typedef struct { Py_ssize_t count; Edge edges[]; } Edges;

enum { LEAF, ONE, TWO, MANY }; /* kinds of nodes, by their parents */

struct Node {
    PyObject_HEAD
    double data;
    union { double grad; Node *next; };  /* next: while waiting to be freed */
    union { Node *left; Edges *many; };
    Node *right;
    double by_left, by_right;
    PyObject *op;                        /* NULL for a leaf that the user made */
    uint64_t mark : 56;                  /* see "walking a graph" */
    uint64_t kind : 2, reached : 1, attributed : 1;
};

_Static_assert(sizeof(void *) != 8 || sizeof(Node) == 80, "a node has 80 bytes");

static PyTypeObject *Value;
static Py_ssize_t live;          /* how many nodes exist */
static int watching;             /* whether a watch or detect_anomaly block is open */
static PyObject *attributes;     /* the dict of attributes of each node that has one, by address */

/* What take_over() gets from Python, by these names. */
#define FROM_PYTHON(GET)                                                                           \
    GET(as_float) GET(operand) GET(unreached) GET(check_node) GET(check_sweep) GET(init)           \
    GET(equal) GET(call) GET(record)
#define DECLARE(name) static PyObject *py_##name;
FROM_PYTHON(DECLARE)

/* Rows of the table that are made without a kernel of one operand. */
#define ROWS(GET)                                                                                  \
    GET(add) GET(sub) GET(mul) GET(div) GET(pow) GET(maximum) GET(minimum) GET(dot) GET(fsum)      \
    GET(constant) GET(argument)
#define DECLARE_ROW(name) static PyObject *op_##name;
ROWS(DECLARE_ROW)
static PyObject *op_half_squared_error; /* of nn/losses.py: see add_row() */
static PyObject *name_weights, *name_bias, *name_activation; /* attributes of a neuron */

static inline int is_value(PyObject *x) { return Py_TYPE(x) == Value; }

static inline Node *kept(Node *node)
{
    Py_INCREF((PyObject *)node);
    return node;
}

/* --- making nodes ------------------------------------------------------------------------------ */

static Node *blank(double data, PyObject *op)
{
    Node *node = PyObject_Malloc(sizeof(Node));
    if (node == NULL)
        return (Node *)PyErr_NoMemory();
    PyObject_Init((PyObject *)node, Value);
    live++;
    node->data = data;
    node->grad = -0.0; /* the neutral element of addition */
    Py_XINCREF(op);
    node->op = op;
    node->mark = 0;
    node->kind = LEAF;
    node->reached = node->attributed = 0;
    return node;
}

/* Return the node, after the open watch or detect_anomaly block has seen it. */
static PyObject *watched(Node *node)
{
    if (watching && node != NULL) {
        PyObject *done = PyObject_CallFunctionObjArgs(py_check_node, node, NULL);
        if (done == NULL)
            Py_CLEAR(node);
        Py_XDECREF(done);
    }
    return (PyObject *)node;
}

/* Takes over the reference to the parent, as two() does to both, also where it fails. */
static PyObject *one(double data, PyObject *op, Node *parent, double partial)
{
    Node *node = blank(data, op);
    if (node == NULL) {
        Py_DECREF((PyObject *)parent);
        return NULL;
    }
    node->kind = ONE;
    node->left = parent;
    node->by_left = data == data ? partial : NAN;
    return watched(node);
}

static PyObject *two(double data, PyObject *op, Node *left, Node *right, double by_left,
                     double by_right)
{
    Node *node = blank(data, op);
    if (node == NULL) {
        Py_DECREF((PyObject *)left);
        Py_DECREF((PyObject *)right);
        return NULL;
    }
    node->kind = TWO;
    node->left = left;
    node->right = right;
    node->by_left = data == data ? by_left : NAN;
    node->by_right = data == data ? by_right : NAN;
    return watched(node);
}

/* --- operands ---------------------------------------------------------------------------------- */

/* Whether x is a float or an int; only then *number is set. (One that is too large is left to
   Python.) */
static inline int plain(PyObject *x, double *number)
{
    if (PyFloat_CheckExact(x)) {
        *number = PyFloat_AsDouble(x);
        return 1;
    }
    if (!PyLong_CheckExact(x))
        return 0;
    double given = PyLong_AsDouble(x);
    if (given == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    *number = given;
    return 1;
}

/* as_float(x): 0, or -1 with an exception. */
static int as_number(PyObject *x, double *number)
{
    if (plain(x, number))
        return 0;
    PyObject *converted = PyObject_CallFunctionObjArgs(py_as_float, x, NULL);
    if (converted == NULL)
        return -1;
    *number = PyFloat_AsDouble(converted);
    Py_DECREF(converted);
    return *number == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static Node *as_constant(PyObject *x)
{
    double number;
    return as_number(x, &number) < 0 ? NULL : blank(number, op_constant);
}

/* operand(x, reflected): 1 and a new reference, 0 for NotImplemented, -1 with an exception. */
static int as_operand(PyObject *x, const char *reflected, Node **operand)
{
    double number;
    if (is_value(x)) {
        *operand = kept((Node *)x);
        return 1;
    }
    if (plain(x, &number))
        return (*operand = blank(number, op_constant)) == NULL ? -1 : 1;
    PyObject *given = PyObject_CallFunction(py_operand, "Os", x, reflected);
    if (given == NULL)
        return -1;
    if (is_value(given)) {
        *operand = (Node *)given;
        return 1;
    }
    Py_DECREF(given);
    return 0;
}

/* Both operands of an operator, of which one is a Value; results as those of as_operand(). */
static int as_operands(PyObject *left, PyObject *right, const char *reflected, Node **x, Node **y)
{
    if (!is_value(left)) {
        if ((*x = as_constant(left)) == NULL)
            return -1;
        *y = kept((Node *)right);
        return 1;
    }
    int found = as_operand(right, reflected, y);
    if (found > 0)
        *x = kept((Node *)left);
    return found;
}

static PyObject *none_found(int found)
{
    if (found < 0)
        return NULL;
    Py_INCREF(Py_NotImplemented);
    return Py_NotImplemented;
}

/* --- operators --------------------------------------------------------------------------------- */

#define OPERATOR(name, reflected, row, value, by_left, by_right)                                   \
    static PyObject *name(PyObject *left, PyObject *right)                                         \
    {                                                                                              \
        Node *a, *b;                                                                               \
        int found = as_operands(left, right, reflected, &a, &b);                                   \
        if (found <= 0)                                                                            \
            return none_found(found);                                                              \
        double x = a->data, y = b->data, v = value;                                                \
        (void)x, (void)y;                                                                          \
        return two(v, row, a, b, by_left, by_right);                                               \
    }

OPERATOR(add, "__radd__", op_add, x + y, 1.0, 1.0)
OPERATOR(subtract, "__rsub__", op_sub, x - y, 1.0, -1.0)
OPERATOR(multiply, "__rmul__", op_mul, x * y, y, x)
OPERATOR(divide, "__rtruediv__", op_div, x / y, 1 / y, -(v / y))

static PyObject *power(PyObject *left, PyObject *right, PyObject *modulo)
{
    Node *a, *b;
    if (modulo != Py_None) {
        if (!is_value(left))
            return none_found(0);
        PyErr_SetString(PyExc_TypeError,
                        "Value.__pow__() takes 2 positional arguments but 3 were given");
        return NULL;
    }
    if (is_value(right)) {
        Node *base = is_value(left) ? kept((Node *)left) : as_constant(left);
        if (base == NULL)
            return NULL;
        PyObject *node = PyObject_CallMethod((PyObject *)base, "record", "O(OO)", op_pow, base, right);
        Py_DECREF((PyObject *)base);
        return node;
    }
    int found = as_operands(left, right, "__rpow__", &a, &b);
    if (found <= 0)
        return none_found(found);
    double x = a->data, p = b->data;
    return two(pow(x, p), op_pow, a, b, p != 0 ? p * pow(x, p - 1) : 0.0, 0.0);
}

static double larger(double x, double y) /* as floats.maximum */
{
    return x > y ? x : y > x ? y : x == 0 ? x + y : x == y ? x : NAN;
}

static double smaller(double x, double y) { return -larger(-x, -y); }

static double share(double x, double y) { return x > y ? 1.0 : y > x ? 0.0 : 0.5; }

OPERATOR(maximum, "", op_maximum, larger(x, y), share(x, y), 1 - share(x, y))
OPERATOR(minimum, "", op_minimum, smaller(x, y), share(y, x), 1 - share(y, x))

static PyObject *compare(PyObject *self, PyObject *other, int how)
{
    static const char *reflected[] = {
        [Py_LT] = "__gt__", [Py_LE] = "__ge__", [Py_GT] = "__lt__", [Py_GE] = "__le__"};
    double y;
    if (is_value(other))
        y = ((Node *)other)->data;
    else if (how == Py_EQ || how == Py_NE) {
        /* an int is compared exactly: here if its float is, too */
        if (!plain(other, &y) || (PyLong_CheckExact(other) && fabs(y) >= 9007199254740992.0)) {
            PyObject *equal = PyObject_CallFunctionObjArgs(py_equal, self, other, NULL);
            if (equal == NULL || equal == Py_NotImplemented || how == Py_EQ)
                return equal;
            int is_equal = PyObject_IsTrue(equal);
            Py_DECREF(equal);
            return is_equal < 0 ? NULL : PyBool_FromLong(!is_equal);
        }
    }
    else if (!plain(other, &y)) {
        Node *b;
        int found = as_operand(other, reflected[how], &b);
        if (found <= 0)
            return none_found(found);
        y = b->data;
        Py_DECREF((PyObject *)b);
    }
    double x = ((Node *)self)->data; /* read last: converting the other may have changed it */
    Py_RETURN_RICHCOMPARE(x, y, how);
}

static Py_hash_t hash(PyObject *self) /* as object.__hash__ */
{
    uintptr_t address = (uintptr_t)self;
    Py_hash_t y = (Py_hash_t)((address >> 4) | (address << (8 * sizeof(address) - 4)));
    return y == -1 ? -2 : y;
}

/* --- operations of one operand ----------------------------------------------------------------- */

static double sigmoid(double x)
{
    double t = exp(x > 0 ? -x : x);
    return x > 0 ? 1.0 / (1.0 + t) : t / (1.0 + t);
}

static double sigmoid_slope(double x)
{
    double t = exp(-fabs(x));
    return t / ((1.0 + t) * (1.0 + t));
}

/* Name, value v and partial at x, as in engine/ops.py and engine/floats.py. */
#define KERNELS(ROW)                                                                               \
    ROW(neg, -x, -1.0)                                                                             \
    ROW(abs, fabs(x), x > 0 ? 1.0 : x < 0 ? -1.0 : x)                                              \
    ROW(exp, exp(x), v)                                                                            \
    ROW(log, x > 0 ? log(x) : x == 0 ? -INFINITY : NAN, 1 / x)                                     \
    ROW(sqrt, sqrt(x), 1 / (2 * v))                                                                \
    ROW(square, x * x, 2 * x)                                                                      \
    ROW(reciprocal, 1 / x, -v * v)                                                                 \
    ROW(sin, sin(x), cos(x))                                                                       \
    ROW(cos, cos(x), -sin(x))                                                                      \
    ROW(tanh, tanh(x), 4 * sigmoid_slope(2 * x))                                                   \
    ROW(sigmoid, sigmoid(x), sigmoid_slope(x))                                                     \
    ROW(sigmoid_slope, sigmoid_slope(x), -v * tanh(0.5 * x))                                       \
    ROW(logsigmoid, x < 0 ? -(-x + log1p(exp(x))) : -log1p(exp(-x)), sigmoid(-x))                  \
    ROW(softplus, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)), sigmoid(x))                          \
    ROW(relu, x > 0 ? x : x <= 0 ? 0.0 : NAN, x > 0 ? 1.0 : 0.0)                                   \
    ROW(step, x > 0 ? 1.0 : x <= 0 ? 0.0 : NAN, 0.0)                                               \
    ROW(sign, x > 0 ? 1.0 : x < 0 ? -1.0 : x, 0.0)                                                 \
    ROW(where, x, 1.0)                                                                             \
    ROW(argument, x, 1.0)

#define KERNEL(name, value, slope)                                                                 \
    static double value_##name(double x) { return value; }                                         \
    static PyObject *apply_##name(PyObject *op, Node *operand)                                     \
    {                                                                                              \
        double x = operand->data, v = value;                                                       \
        (void)x;                                                                                   \
        return one(v, op, kept(operand), slope);                                                   \
    }
KERNELS(KERNEL)

typedef struct {
    const char *name;
    PyObject *(*apply)(PyObject *op, Node *operand);
    double (*value)(double x);
    PyObject *op;
} Kernel;

#define ENTRY(name, value, slope) {#name, apply_##name, value_##name, NULL},
static Kernel kernels[] = {KERNELS(ENTRY){NULL, NULL, NULL, NULL}};

static Kernel *kernel_of(PyObject *op)
{
    for (Kernel *kernel = kernels; kernel->name != NULL; kernel++)
        if (kernel->op == op)
            return kernel;
    return NULL;
}

/* has_kernel(name of an operation) */
static PyObject *has_kernel(PyObject *module, PyObject *name)
{
    int found = 0;
    for (Kernel *kernel = kernels; kernel->name != NULL && !found && PyUnicode_Check(name); kernel++)
        found = PyUnicode_CompareWithASCIIString(name, kernel->name) == 0;
    return PyBool_FromLong(found);
}

/* apply(op, x): the node of an operation on one operand, which has record(). */
static PyObject *apply(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "apply expects an operation and its operand");
    Kernel *kernel = is_value(args[1]) ? kernel_of(args[0]) : NULL;
    if (kernel != NULL)
        return kernel->apply(args[0], (Node *)args[1]);
    return PyObject_CallMethod(args[1], "record", "O(O)", args[0], args[1]);
}

/* Value.record(op, operands) */
static PyObject *record(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (count == 2 && PyTuple_CheckExact(args[1]) && PyTuple_Size(args[1]) == 1) {
        PyObject *operand = PyTuple_GetItem(args[1], 0);
        Kernel *kernel = is_value(operand) ? kernel_of(args[0]) : NULL;
        if (kernel != NULL)
            return kernel->apply(args[0], (Node *)operand);
    }
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "record expects an operation and its operands");
    return PyObject_CallFunctionObjArgs(py_record, self, args[0], args[1], NULL);
}

static PyObject *negative(PyObject *self) { return apply_neg(kernels[0].op, (Node *)self); }
static PyObject *absolute(PyObject *self) { return apply_abs(kernels[1].op, (Node *)self); }

/* --- nodes of many parents --------------------------------------------------------------------- */

static Edges *new_edges(Py_ssize_t room)
{
    Edges *many = PyMem_Malloc(sizeof(Edges) + (size_t)room * sizeof(Edge));
    if (many == NULL)
        PyErr_NoMemory();
    else
        many->count = 0;
    return many;
}

static void drop_edges(Edges *many)
{
    for (Py_ssize_t i = 0; i < many->count; i++)
        Py_DECREF((PyObject *)many->edges[i].parent);
    PyMem_Free(many);
}

/* Append an edge to x, a number becoming a constant. */
static int append(Edges *many, PyObject *x, double partial)
{
    Node *parent = is_value(x) ? kept((Node *)x) : as_constant(x);
    if (parent == NULL)
        return -1;
    many->edges[many->count++] = (Edge){parent, partial};
    return 0;
}

/* Return a node with these edges, which it takes over, also where it fails. */
static Node *linked(double data, PyObject *op, Edges *many)
{
    Node *node = blank(data, op);
    if (node == NULL) {
        drop_edges(many);
        return NULL;
    }
    Edge *edges = many->edges;
    node->kind = many->count > TWO ? MANY : (unsigned)many->count;
    if (data != data)
        for (Py_ssize_t i = 0; i < many->count; i++)
            edges[i].partial = NAN;
    if (node->kind == MANY) {
        node->many = many;
        return node;
    }
    if (node->kind >= ONE) {
        node->left = edges[0].parent;
        node->by_left = edges[0].partial;
    }
    if (node->kind == TWO) {
        node->right = edges[1].parent;
        node->by_right = edges[1].partial;
    }
    PyMem_Free(many);
    return node;
}

/* Whether *sum is the sum of the terms, rounded once: their sum in order and the sum of its errors
   (Ogita, Rump and Oishi 2005, Sum2 with proposition 4.5) decide it unless that is close to half
   way between two floats. */
static int quick_sum(const double *terms, Py_ssize_t count, double *sum)
{
    double total = 0.0, errors = 0.0, size = 0.0;
    for (Py_ssize_t k = 0; k < count; k++) {
        double x = terms[k], next = total + x, part = next - total;
        errors += (total - (next - part)) + (x - part);
        size += fabs(x);
        total = next;
    }
    double high = total + errors, part = high - total;
    double low = (total - (high - part)) + (errors - part);
    double n = (double)count * DBL_EPSILON, bound = n * n * size + DBL_MIN;
    *sum = high;
    return high != 0.0 && size < DBL_MAX && high + (low - bound) == high
        && high + (low + bound) == high;
}

/* The sum of terms, which it overwrites, rounded once: math.fsum (Shewchuk 1997, with the final
   rounding of CPython), or from left to right where that raises, as floats.fsum. */
static double exact_sum(double *terms, Py_ssize_t count)
{
    double in_order = 0.0, special = 0.0, sum;
    if (quick_sum(terms, count, &sum))
        return sum;
    for (Py_ssize_t k = 0; k < count; k++)
        in_order += terms[k];
    double *parts = terms; /* never more than the terms already read */
    Py_ssize_t n = 0;
    int specials = 0;
    for (Py_ssize_t k = 0; k < count; k++) {
        double x = terms[k];
        Py_ssize_t i = 0;
        if (!isfinite(x)) {
            special += x;
            specials = 1;
            continue;
        }
        for (Py_ssize_t j = 0; j < n; j++) {
            double y = parts[j];
            if (fabs(x) < fabs(y)) {
                double swapped = x;
                x = y;
                y = swapped;
            }
            double high = x + y, low = y - (high - x);
            if (low != 0.0)
                parts[i++] = low;
            x = high;
        }
        if (!isfinite(x))
            return in_order;
        n = i;
        if (x != 0.0)
            parts[n++] = x;
    }
    if (specials)
        return special == special ? special : in_order;
    if (n == 0)
        return 0.0;
    double high = parts[--n], low = 0.0;
    while (n > 0) {
        double x = high, y = parts[--n];
        high = x + y;
        low = y - (high - x);
        if (low != 0.0)
            break;
    }
    /* a half is rounded by what is below it, not to even */
    if (n > 0 && ((low < 0.0 && parts[n - 1] < 0.0) || (low > 0.0 && parts[n - 1] > 0.0))) {
        double y = low * 2.0, x = high + y;
        if (y == x - high)
            high = x;
    }
    return high;
}

/* A node in the making whose number is a sum: its edges, and room for the terms. */
enum { IN_PLACE = 64 };
typedef struct { Edges *many; double *terms, in_place[IN_PLACE]; } Sum;

static int begin_sum(Sum *sum, Py_ssize_t edges, Py_ssize_t terms)
{
    sum->terms = sum->in_place;
    if ((sum->many = new_edges(edges)) == NULL)
        return -1;
    if (terms <= IN_PLACE || (sum->terms = PyMem_Malloc((size_t)terms * sizeof(double))) != NULL)
        return 0;
    PyErr_NoMemory();
    return -1;
}

/* Return the node of factor times the sum of so many terms, or release all if something failed. */
static PyObject *end_sum(Sum *sum, int failed, PyObject *op, double factor, Py_ssize_t terms)
{
    Node *node = NULL;
    if (!failed)
        node = linked(factor * exact_sum(sum->terms, terms), op, sum->many);
    else if (sum->many != NULL)
        drop_edges(sum->many);
    if (sum->terms != sum->in_place)
        PyMem_Free(sum->terms);
    return watched(node);
}

/* A list or tuple of Values, floats and ints, or one of these by itself. */
typedef struct { PyObject *all; Py_ssize_t count; int kind; } Items;
enum { SINGLE, LIST, TUPLE };

static inline PyObject *item(Items items, Py_ssize_t i)
{
    return items.kind == LIST ? PyList_GetItem(items.all, i)
         : items.kind == TUPLE ? PyTuple_GetItem(items.all, i) : items.all;
}

/* Whether x is such; *values counts the Values in it. Other operands are left to Python. */
static int items_of(PyObject *x, Items *items, Py_ssize_t *values)
{
    if (PyList_CheckExact(x))
        *items = (Items){x, PyList_Size(x), LIST};
    else if (PyTuple_CheckExact(x))
        *items = (Items){x, PyTuple_Size(x), TUPLE};
    else
        *items = (Items){x, 1, SINGLE};
    for (Py_ssize_t i = 0; i < items->count; i++) {
        PyObject *one = item(*items, i);
        double number;
        if (is_value(one))
            ++*values;
        else if (!plain(one, &number))
            return 0;
    }
    return 1;
}

static int append_items(Edges *many, Items items, double partial)
{
    for (Py_ssize_t i = 0; i < items.count; i++)
        if (append(many, item(items, i), partial) < 0)
            return -1;
    return 0;
}

/* The node of dot(ws, xs, bias); bias may be NULL. */
static PyObject *dot_node(Items ws, Items xs, PyObject *bias)
{
    Sum sum;
    Py_ssize_t n = ws.count, count = n + (bias != NULL);
    int failed = begin_sum(&sum, 2 * n + 1, count) < 0 || append_items(sum.many, ws, 0.0) < 0
        || append_items(sum.many, xs, 0.0) < 0
        || (bias != NULL && append(sum.many, bias, 1.0) < 0);
    if (!failed) {
        Edge *w = sum.many->edges, *x = w + n;
        for (Py_ssize_t i = 0; i < n; i++) {
            w[i].partial = x[i].parent->data;
            x[i].partial = w[i].parent->data;
            sum.terms[i] = w[i].parent->data * x[i].parent->data;
        }
        if (bias != NULL)
            sum.terms[n] = x[n].parent->data;
    }
    return end_sum(&sum, failed, op_dot, 1.0, count);
}

static PyObject *fsum_node(Items xs)
{
    Sum sum;
    int failed = begin_sum(&sum, xs.count, xs.count) < 0 || append_items(sum.many, xs, 1.0) < 0;
    for (Py_ssize_t i = 0; !failed && i < xs.count; i++)
        sum.terms[i] = sum.many->edges[i].parent->data;
    return end_sum(&sum, failed, op_fsum, 1.0, xs.count);
}

/* The node of half_squared_error(outputs, targets). */
static PyObject *half_squares_node(Items outputs, Items targets)
{
    Sum sum;
    Py_ssize_t n = outputs.count;
    int failed = begin_sum(&sum, 2 * n, n) < 0 || append_items(sum.many, outputs, 0.0) < 0
        || append_items(sum.many, targets, 0.0) < 0;
    for (Py_ssize_t i = 0; !failed && i < n; i++) {
        Edge *y = &sum.many->edges[i], *d = y + n;
        double error = y->parent->data - d->parent->data;
        y->partial = error;
        d->partial = -error;
        sum.terms[i] = error * error;
    }
    return end_sum(&sum, failed, op_half_squared_error, 0.5, n);
}

/* dot(weights, inputs, bias) of a neuron. */
static PyObject *weighted_sum(PyObject *weights, PyObject *inputs, PyObject *bias)
{
    Items ws, xs;
    Py_ssize_t values = 0, count = PyObject_Size(weights), given = PyList_Size(inputs);
    if (count < 0)
        return NULL;
    if (count != given)
        return PyErr_Format(PyExc_ValueError, "the number of inputs of this neuron is %zd, got %zd", count, given);
    if (is_value(bias) && items_of(weights, &ws, &values) && items_of(inputs, &xs, &values)
        && ws.kind != SINGLE)
        return dot_node(ws, xs, bias);
    return PyObject_CallFunctionObjArgs(op_dot, weights, inputs, bias, NULL);
}

static PyObject *response(PyObject *neuron, PyObject *inputs)
{
    PyObject *weights = PyObject_GetAttr(neuron, name_weights), *bias = NULL, *activation = NULL;
    PyObject *sum = NULL, *output = NULL;
    if (weights != NULL && (bias = PyObject_GetAttr(neuron, name_bias)) != NULL
        && (sum = weighted_sum(weights, inputs, bias)) != NULL
        && (activation = PyObject_GetAttr(neuron, name_activation)) != NULL) {
        Kernel *kernel = is_value(sum) ? kernel_of(activation) : NULL;
        output = kernel != NULL ? kernel->apply(activation, (Node *)sum)
                                : PyObject_CallFunctionObjArgs(activation, sum, NULL);
    }
    Py_XDECREF(weights);
    Py_XDECREF(bias);
    Py_XDECREF(activation);
    Py_XDECREF(sum);
    return output;
}

/* responses(neurons, inputs): see nn/responses.py. */
static PyObject *responses(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !PyList_Check(args[1]))
        return PyErr_Format(PyExc_TypeError, "responses expects neurons and a list of inputs");
    PyObject *outputs = PyList_New(0), *neurons = PyObject_GetIter(args[0]), *neuron;
    while (outputs != NULL && neurons != NULL && (neuron = PyIter_Next(neurons)) != NULL) {
        PyObject *output = response(neuron, args[1]);
        Py_DECREF(neuron);
        if (output == NULL || PyList_Append(outputs, output) < 0)
            Py_CLEAR(outputs);
        Py_XDECREF(output);
    }
    if (PyErr_Occurred())
        Py_CLEAR(outputs);
    Py_XDECREF(neurons);
    return outputs;
}

/* new_node(data, op, parents, partials) */
static PyObject *new_node(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    double data, partial;
    if (count != 4 || !PyTuple_Check(args[2]) || !PyTuple_Check(args[3])
        || PyTuple_Size(args[2]) != PyTuple_Size(args[3]))
        return PyErr_Format(PyExc_TypeError, "expected data, op, and equally many parents and partials");
    if (as_number(args[0], &data) < 0)
        return NULL;
    Py_ssize_t n = PyTuple_Size(args[2]);
    Edges *many = new_edges(n);
    if (many == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *parent = PyTuple_GetItem(args[2], i);
        if (!is_value(parent))
            PyErr_Format(PyExc_TypeError, "expected Values as parents");
        if (!is_value(parent) || as_number(PyTuple_GetItem(args[3], i), &partial) < 0) {
            drop_edges(many);
            return NULL;
        }
        append(many, parent, partial);
    }
    Node *node = linked(data, args[1] == Py_None ? NULL : args[1], many);
    return n > 0 ? watched(node) : (PyObject *)node;
}

static PyObject *constant(PyObject *module, PyObject *x) { return (PyObject *)as_constant(x); }

/* Op.__call__: made here where a kernel fits the operands, else by the method written in Python. */
static PyObject *call_row(PyObject *op, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    if (names == NULL && count == 1) {
        Kernel *kernel = kernel_of(op);
        double number;
        if (kernel != NULL && is_value(args[0]))
            return kernel->apply(op, (Node *)args[0]);
        if (kernel != NULL && plain(args[0], &number))
            return PyFloat_FromDouble(kernel->value(number));
        if (op == op_fsum) {
            Items xs;
            Py_ssize_t values = 0;
            if (items_of(args[0], &xs, &values) && values > 0 && xs.kind != SINGLE)
                return fsum_node(xs);
        }
    }
    else if (names == NULL && (count == 2 || count == 3)) {
        Items xs, ys;
        Py_ssize_t values = 0;
        if ((op == op_div || op == op_maximum || op == op_minimum) && count == 2
            && items_of(args[0], &xs, &values) && items_of(args[1], &ys, &values)
            && xs.kind == SINGLE && ys.kind == SINGLE && values > 0)
            return (op == op_div ? divide : op == op_maximum ? maximum : minimum)(args[0], args[1]);
        if (op == op_dot || (op == op_half_squared_error && count == 2)) {
            Items bias;
            int biased = count == 3 && args[2] != Py_None;
            if (items_of(args[0], &xs, &values) && items_of(args[1], &ys, &values)
                && (!biased || items_of(args[2], &bias, &values)) && values > 0
                && xs.count == ys.count && (!biased || bias.kind == SINGLE)) {
                if (op == op_half_squared_error)
                    return half_squares_node(xs, ys);
                if (xs.kind != SINGLE && ys.kind != SINGLE)
                    return dot_node(xs, ys, biased ? args[2] : NULL);
            }
        }
    }
    PyObject *keywords = NULL, *result = NULL, *all = PyTuple_New(count + 1);
    if (all == NULL)
        return NULL;
    Py_INCREF(op);
    PyTuple_SetItem(all, 0, op);
    for (Py_ssize_t i = 0; i < count; i++) {
        Py_INCREF(args[i]);
        PyTuple_SetItem(all, i + 1, args[i]);
    }
    if (names != NULL) {
        if ((keywords = PyDict_New()) == NULL)
            goto done;
        for (Py_ssize_t i = 0; i < PyTuple_Size(names); i++)
            if (PyDict_SetItem(keywords, PyTuple_GetItem(names, i), args[count + i]) < 0)
                goto done;
    }
    result = PyObject_Call(py_call, all, keywords);
done:
    Py_XDECREF(keywords);
    Py_DECREF(all);
    return result;
}

/* --- walking a graph ---------------------------------------------------------------------------- */

/* Marks count upwards. A sweep begins at the first unused one: a node whose mark is at least that
   has been met by this sweep, and the distance may be its place in an array of the sweep. No sweep
   has to erase its marks, and 56 bits do not overflow. */
static uint64_t next_mark = 1;

typedef struct { Node **nodes; Py_ssize_t count, room; } Order;
typedef struct { Node *node; Py_ssize_t left; } Visit; /* left: how many parents to look at yet */

/* Return the array, moved to twice the room. */
static void *grown(void *array, Py_ssize_t *room, size_t size)
{
    Py_ssize_t more = *room > 0 ? 2 * *room : 128;
    void *moved = PyMem_Realloc(array, (size_t)more * size);
    if (moved == NULL)
        PyErr_NoMemory();
    else
        *room = more;
    return moved;
}

static inline Py_ssize_t parents_of(const Node *node)
{
    return node->kind == MANY ? node->many->count : (Py_ssize_t)node->kind;
}

/* The edges of a node, those of one or two parents copied into the pair. */
static const Edge *edges_of(const Node *node, Edge pair[2])
{
    if (node->kind == MANY)
        return node->many->edges;
    pair[0] = (Edge){node->left, node->by_left};
    pair[1] = (Edge){node->right, node->by_right};
    return pair;
}

/* The parents in the order in which graph.computed_nodes takes them: pairs as they are, more from
   the last to the first. */
static inline Node *parent_of(const Node *node, Py_ssize_t left)
{
    return node->kind == MANY ? node->many->edges[left - 1].parent
         : left == node->kind ? node->left : node->right;
}

/* Append the computed nodes that root depends on, each after its parents; mark them. */
static int walk(Node *root, uint64_t mark, Order *order)
{
    Visit *path = NULL;
    Py_ssize_t depth = 0, room = 0;
    int failed = -1;
    Node *entered = root;
    if (root->kind == LEAF || root->mark >= mark)
        return 0;
    do {
        if (entered != NULL) {
            if (depth == room) {
                Visit *moved = grown(path, &room, sizeof(Visit));
                if (moved == NULL)
                    goto done;
                path = moved;
            }
            entered->mark = mark;
            path[depth++] = (Visit){entered, parents_of(entered)};
            entered = NULL;
        }
        Visit *top = &path[depth - 1];
        while (top->left > 0 && entered == NULL) {
            Node *parent = parent_of(top->node, top->left--);
            if (parent->kind != LEAF && parent->mark < mark)
                entered = parent;
        }
        if (entered == NULL) {
            if (order->count == order->room) {
                Node **moved = grown(order->nodes, &order->room, sizeof(Node *));
                if (moved == NULL)
                    goto done;
                order->nodes = moved;
            }
            order->nodes[order->count++] = top->node;
            depth--;
        }
    } while (depth > 0);
    failed = 0;
done:
    PyMem_Free(path);
    return failed;
}

static inline void receive(Node *node, double term)
{
    node->grad += term;
    node->reached = 1;
}

static PyObject *backward(PyObject *self, PyObject *unused)
{
    Order order = {NULL, 0, 0};
    int failed = walk((Node *)self, next_mark++, &order);
    if (!failed) {
        for (Py_ssize_t i = 0; i < order.count; i++)
            order.nodes[i]->grad = 0.0;
        receive((Node *)self, 1.0);
        for (Py_ssize_t i = order.count - 1; i >= 0; i--) {
            Node *node = order.nodes[i];
            double adjoint = node->grad;
            if (node->kind == MANY) {
                Edges *many = node->many;
                for (Py_ssize_t k = 0; k < many->count; k++)
                    receive(many->edges[k].parent, adjoint * many->edges[k].partial);
            }
            else {
                receive(node->left, adjoint * node->by_left);
                if (node->kind == TWO)
                    receive(node->right, adjoint * node->by_right);
            }
        }
    }
    PyMem_Free(order.nodes);
    if (failed)
        return NULL;
    if (watching)
        return PyObject_CallFunctionObjArgs(py_check_sweep, self, NULL);
    Py_RETURN_NONE;
}

/* computed_nodes(*roots): see engine/graph.py. */
static PyObject *computed_nodes(PyObject *module, PyObject *const *roots, Py_ssize_t count)
{
    Order order = {NULL, 0, 0};
    PyObject *list = NULL;
    uint64_t mark = next_mark++;
    for (Py_ssize_t i = count - 1; i >= 0; i--) {
        if (!is_value(roots[i])) {
            PyErr_Format(PyExc_TypeError, "expected Values");
            goto done;
        }
        if (walk((Node *)roots[i], mark, &order) < 0)
            goto done;
    }
    for (Py_ssize_t i = 0; i < order.count; i++)
        kept(order.nodes[i]); /* a new list may start the collector, and that constructors */
    list = PyList_New(order.count);
    for (Py_ssize_t i = 0; i < order.count; i++)
        if (list != NULL)
            PyList_SetItem(list, i, (PyObject *)order.nodes[i]);
        else
            Py_DECREF((PyObject *)order.nodes[i]);
done:
    PyMem_Free(order.nodes);
    return list;
}

/* Whether all elements of a list are Values. */
static int are_values(PyObject *list)
{
    if (!PyList_Check(list))
        return 0;
    for (Py_ssize_t i = 0; i < PyList_Size(list); i++)
        if (!is_value(PyList_GetItem(list, i)))
            return 0;
    return 1;
}

/* Numbers by node, for one sweep: the mark of a node is the place of its number. */
typedef struct { double *numbers; Py_ssize_t count, room; uint64_t first; } Table;

static inline int is_in(const Table *table, const Node *node) { return node->mark >= table->first; }

/* Return the number of a node, -0.0 if it is new; the pointer holds until the next call. */
static double *entry(Table *table, Node *node)
{
    if (is_in(table, node))
        return &table->numbers[node->mark - table->first];
    if (table->count == table->room) {
        double *moved = grown(table->numbers, &table->room, sizeof(double));
        if (moved == NULL)
            return NULL;
        table->numbers = moved;
    }
    node->mark = table->first + (uint64_t)table->count;
    table->numbers[table->count] = -0.0;
    return &table->numbers[table->count++];
}

static int add_term(Table *table, Node *node, double term)
{
    double *number = entry(table, node);
    if (number == NULL)
        return -1;
    *number += term;
    return 0;
}

/* Fill a new list with the numbers of these nodes, 0.0 for those without one. */
static int fill(PyObject *list, const Table *table, PyObject *nodes)
{
    for (Py_ssize_t i = 0; i < PyList_Size(nodes); i++) {
        Node *node = (Node *)PyList_GetItem(nodes, i);
        PyObject *number = PyFloat_FromDouble(
            is_in(table, node) ? table->numbers[node->mark - table->first] : 0.0);
        if (number == NULL || PyList_SetItem(list, i, number) < 0)
            return -1;
    }
    return 0;
}

/* gradients(order, weights, inputs): see engine/sweeps.py. */
static PyObject *gradients(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    PyObject *key, *weight;
    int fits = count == 3 && are_values(args[0]) && PyDict_Check(args[1]) && are_values(args[2]);
    for (Py_ssize_t at = 0; fits && PyDict_Next(args[1], &at, &key, &weight);)
        fits = is_value(key) && PyFloat_CheckExact(weight);
    if (!fits)
        return PyErr_Format(PyExc_TypeError, "expected Values, floats by Value, and Values");
    PyObject *order = args[0], *weights = args[1], *inputs = args[2];
    /* Made before the first mark: a new list may start the collector, and that other sweeps. */
    PyObject *result = PyList_New(PyList_Size(inputs));
    if (result == NULL)
        return NULL;
    int failed = -1;
    Table adjoint = {NULL, 0, 0, next_mark};
    for (Py_ssize_t at = 0; PyDict_Next(weights, &at, &key, &weight);)
        if (add_term(&adjoint, (Node *)key, PyFloat_AsDouble(weight)) < 0)
            goto done;
    for (Py_ssize_t i = PyList_Size(order) - 1; i >= 0; i--) {
        Node *node = (Node *)PyList_GetItem(order, i);
        if (!is_in(&adjoint, node))
            continue;
        double above = adjoint.numbers[node->mark - adjoint.first];
        if (node->kind == MANY) {
            Edges *many = node->many;
            for (Py_ssize_t k = 0; k < many->count; k++)
                if (add_term(&adjoint, many->edges[k].parent, above * many->edges[k].partial) < 0)
                    goto done;
        }
        else if (node->kind != LEAF) {
            if (add_term(&adjoint, node->left, above * node->by_left) < 0)
                goto done;
            if (node->kind == TWO && add_term(&adjoint, node->right, above * node->by_right) < 0)
                goto done;
        }
    }
    failed = fill(result, &adjoint, inputs);
done:
    next_mark += (uint64_t)adjoint.count;
    PyMem_Free(adjoint.numbers);
    if (failed)
        Py_CLEAR(result);
    return result;
}

/* dependents(order, inputs): see engine/sweeps.py. */
static PyObject *dependents(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !are_values(args[0]) || !are_values(args[1]))
        return PyErr_Format(PyExc_TypeError, "expected two lists of Values");
    PyObject *active = PySet_New(args[1]);
    if (active == NULL)
        return NULL;
    uint64_t mark = next_mark++;
    for (Py_ssize_t i = 0; i < PyList_Size(args[1]); i++)
        ((Node *)PyList_GetItem(args[1], i))->mark = mark;
    for (Py_ssize_t i = 0; i < PyList_Size(args[0]); i++) {
        Node *node = (Node *)PyList_GetItem(args[0], i);
        for (Py_ssize_t left = parents_of(node); left > 0 && node->mark < mark; left--)
            if (parent_of(node, left)->mark >= mark) {
                node->mark = mark;
                if (PySet_Add(active, (PyObject *)node) < 0) {
                    Py_DECREF(active);
                    return NULL;
                }
            }
    }
    return active;
}

/* times(x, y) of engine/sweeps.py: no node where a factor is exactly 1. */
static PyObject *times(PyObject *x, PyObject *y)
{
    PyObject *whole = NULL;
    if (PyFloat_CheckExact(y) && PyFloat_AsDouble(y) == 1.0)
        whole = x;
    else if (PyFloat_CheckExact(x) && PyFloat_AsDouble(x) == 1.0)
        whole = y;
    Py_XINCREF(whole);
    return whole != NULL ? whole : PyNumber_Multiply(x, y);
}

/* Add adjoint * partial to what the dict has for parent, if that is active. */
static int pass_on(PyObject *found, PyObject *active, Node *parent, PyObject *adjoint,
                   PyObject *partial)
{
    int is_active = PySet_Contains(active, (PyObject *)parent);
    if (is_active <= 0)
        return is_active;
    PyObject *term = times(adjoint, partial);
    if (term == NULL)
        return -1;
    PyObject *before = PyDict_GetItemWithError(found, (PyObject *)parent);
    if (before == NULL && PyErr_Occurred()) {
        Py_DECREF(term);
        return -1;
    }
    if (before != NULL) {
        PyObject *sum = PyNumber_Add(before, term);
        Py_DECREF(term);
        if ((term = sum) == NULL)
            return -1;
    }
    int failed = PyDict_SetItem(found, (PyObject *)parent, term);
    Py_DECREF(term);
    return failed;
}

/* The partials of these rows are parents or numbers at hand: 1 if so, else 0; -1 if it failed. (A
   user can set op: then the parents may be others than those of the row.) */
static int pass_on_directly(PyObject *found, PyObject *active, Node *node, PyObject *adjoint,
                            PyObject *ones[2])
{
    if (node->data != node->data)
        return 0;
    if (node->op == op_mul && node->kind == TWO)
        return pass_on(found, active, node->left, adjoint, (PyObject *)node->right) < 0
            || pass_on(found, active, node->right, adjoint, (PyObject *)node->left) < 0 ? -1 : 1;
    if ((node->op == op_add || node->op == op_sub) && node->kind == TWO)
        return pass_on(found, active, node->left, adjoint, ones[0]) < 0
            || pass_on(found, active, node->right, adjoint, ones[node->op == op_sub]) < 0 ? -1 : 1;
    if (node->op == kernels[0].op && node->kind == ONE) /* neg */
        return pass_on(found, active, node->left, adjoint, ones[1]) < 0 ? -1 : 1;
    return 0;
}

/* graph_adjoints(order, seeds, active, derivatives): adjoints() of engine/sweeps.py, as a graph;
   derivatives(node) gives the partials of other rows as Values. */
static PyObject *graph_adjoints(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 4 || !are_values(args[0]) || !PyDict_Check(args[1]) || !PyAnySet_Check(args[2]))
        return PyErr_Format(PyExc_TypeError, "expected Values, seeds, a set and a function");
    PyObject *found = PyDict_Copy(args[1]), *active = args[2], *adjoint = NULL, *partials = NULL;
    PyObject *ones[2] = {PyFloat_FromDouble(1.0), PyFloat_FromDouble(-1.0)};
    int failed = found == NULL || ones[0] == NULL || ones[1] == NULL;
    for (Py_ssize_t i = PyList_Size(args[0]) - 1; i >= 0 && !failed; i--) {
        Node *node = (Node *)PyList_GetItem(args[0], i);
        if (node == NULL || !is_value((PyObject *)node)) { /* derivatives() has changed the list */
            PyErr_SetString(PyExc_RuntimeError, "the order changed during the sweep");
            failed = 1;
            break;
        }
        adjoint = PyDict_GetItemWithError(found, (PyObject *)node);
        if (adjoint == NULL || node->kind == LEAF) {
            failed = PyErr_Occurred() != NULL;
            continue;
        }
        int is_active = PySet_Contains(active, (PyObject *)node);
        if (is_active <= 0) {
            failed = is_active;
            continue;
        }
        Py_INCREF(adjoint);
        kept(node);
        int done = pass_on_directly(found, active, node, adjoint, ones);
        failed = done < 0;
        if (done == 0) {
            PyObject *given = PyObject_CallFunctionObjArgs(args[3], node, NULL);
            partials = given == NULL ? NULL : PySequence_Tuple(given);
            Py_XDECREF(given);
            Py_ssize_t n = parents_of(node);
            failed = partials == NULL;
            Edge pair[2];
            const Edge *edges = edges_of(node, pair);
            for (Py_ssize_t k = 0; !failed && k < n && k < PyTuple_Size(partials); k++)
                failed = pass_on(found, active, edges[k].parent, adjoint,
                                 PyTuple_GetItem(partials, k));
            Py_XDECREF(partials);
        }
        Py_DECREF((PyObject *)node);
        Py_DECREF(adjoint);
    }
    Py_XDECREF(ones[0]);
    Py_XDECREF(ones[1]);
    if (failed)
        Py_CLEAR(found);
    return found;
}

/* holds_variable(order, outputs): see engine/recording.py. */
static PyObject *holds_variable(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2 || !are_values(args[0]) || !PyList_Check(args[1]))
        return PyErr_Format(PyExc_TypeError, "expected a list of Values and one of outputs");
    int found = 0;
    for (Py_ssize_t i = 0; i < PyList_Size(args[0]) && !found; i++) {
        Node *node = (Node *)PyList_GetItem(args[0], i);
        found = node->op == op_argument;
        for (Py_ssize_t left = parents_of(node); left > 0 && !found; left--)
            found = parent_of(node, left)->op == op_argument;
    }
    for (Py_ssize_t i = 0; i < PyList_Size(args[1]) && !found; i++) {
        PyObject *y = PyList_GetItem(args[1], i);
        found = is_value(y) && ((Node *)y)->op == op_argument;
    }
    return PyBool_FromLong(found);
}

/* --- optimizers ----------------------------------------------------------------------------------- */

enum { SETTINGS = 6, MEMORIES = 2 };
typedef void Rule(const double *settings, double *weight, double gradient, double *memories);

/* The rules of nn/optimizers.py. */
static void descent_rule(const double *s, double *weight, double gradient, double *memories)
{
    *weight = *weight - s[0] * gradient;
}

static void momentum_rule(const double *s, double *weight, double gradient, double *memories)
{
    double change = s[1] * memories[0] - s[0] * gradient;
    *weight = (*weight + change) * s[2];
    memories[0] = change;
}

static void adam_rule(const double *s, double *weight, double gradient, double *memories)
{
    memories[0] = s[0] * memories[0] + (1 - s[0]) * gradient;
    memories[1] = s[1] * memories[1] + (1 - s[1]) * gradient * gradient;
    *weight = *weight * s[5] - s[3] * memories[0] / (sqrt(memories[1] * s[4]) + s[2]);
}

/* step(parameters, settings, *memories) by a rule: whether it was done, which needs lists of Values
   and floats. */
static PyObject *stepped(Rule *rule, Py_ssize_t settings_count, Py_ssize_t memories_count,
                         PyObject *const *args, Py_ssize_t count)
{
    double settings[SETTINGS], memories[MEMORIES];
    if (count != 2 + memories_count || !are_values(args[0]) || !PyTuple_Check(args[1])
        || PyTuple_Size(args[1]) != settings_count)
        Py_RETURN_FALSE;
    Py_ssize_t n = PyList_Size(args[0]);
    for (Py_ssize_t i = 0; i < settings_count; i++)
        if (!plain(PyTuple_GetItem(args[1], i), &settings[i]))
            Py_RETURN_FALSE;
    for (Py_ssize_t k = 0; k < memories_count; k++) {
        if (!PyList_Check(args[2 + k]) || PyList_Size(args[2 + k]) != n)
            Py_RETURN_FALSE;
        for (Py_ssize_t i = 0; i < n; i++)
            if (!PyFloat_CheckExact(PyList_GetItem(args[2 + k], i)))
                Py_RETURN_FALSE;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        Node *parameter = (Node *)PyList_GetItem(args[0], i);
        for (Py_ssize_t k = 0; k < memories_count; k++)
            memories[k] = PyFloat_AsDouble(PyList_GetItem(args[2 + k], i));
        rule(settings, &parameter->data, parameter->grad + 0.0, memories);
        for (Py_ssize_t k = 0; k < memories_count; k++) {
            PyObject *number = PyFloat_FromDouble(memories[k]);
            if (number == NULL || PyList_SetItem(args[2 + k], i, number) < 0)
                return NULL;
        }
    }
    Py_RETURN_TRUE;
}

static PyObject *descent(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return stepped(descent_rule, 1, 0, args, count);
}

static PyObject *momentum(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return stepped(momentum_rule, 3, 1, args, count);
}

static PyObject *adam(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    return stepped(adam_rule, 6, 2, args, count);
}

/* --- the type ------------------------------------------------------------------------------------ */

static Node *dying; /* dropped nodes that wait to be freed, linked by their next */
static int freeing; /* how many loops free them, of this thread and others, each inside the last */
static int dropping_parents;
enum { LOOPS = 50 };

static void drop_parents(Node *node)
{
    unsigned kind = node->kind;
    node->kind = LEAF;
    if (kind == MANY)
        drop_edges(node->many);
    else if (kind != LEAF) {
        Node *left = node->left, *right = node->right;
        Py_DECREF((PyObject *)left);
        if (kind == TWO)
            Py_DECREF((PyObject *)right);
    }
}

/* Drop what the node holds besides its number and parents. That may run finalizers, which may take
   long: meanwhile, nodes that they and other threads drop are freed by loops of their own. */
static void clear(Node *node)
{
    Py_CLEAR(node->op);
    if (node->attributed) {
        PyObject *type, *value, *traceback; /* an exception may be on its way */
        PyErr_Fetch(&type, &value, &traceback);
        PyObject *address = PyLong_FromVoidPtr(node);
        node->attributed = 0;
        if (address == NULL || PyDict_DelItem(attributes, address) < 0)
            PyErr_WriteUnraisable(NULL);
        Py_XDECREF(address);
        PyErr_Restore(type, value, traceback);
    }
}

static void dealloc(PyObject *self)
{
    Node *node = (Node *)self;
    node->next = dying;
    dying = node;
    if (dropping_parents || freeing == LOOPS)
        return; /* the loop below, which dropped it, comes to it */
    freeing++;
    while (dying != NULL) {
        node = dying;
        dying = node->next;
        dropping_parents = 1; /* no Python runs */
        drop_parents(node);
        dropping_parents = 0;
        clear(node);
        PyObject *type = (PyObject *)Py_TYPE((PyObject *)node);
        PyObject_Free(node);
        live--;
        Py_DECREF(type);
    }
    freeing--;
}

/* Present, though never called: a type without the collector's flag would inherit it together with
   this function from Operand, a class written in Python. */
static int traverse(PyObject *self, visitproc visit, void *arg) { return 0; }

static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    if (type != Value) /* of a class whose bases keep __init_subclass__ from refusing it */
        return PyErr_Format(PyExc_TypeError, "Value cannot be the base of a class");
    return (PyObject *)blank(0.0, NULL);
}

static int init(PyObject *self, PyObject *args, PyObject *keywords)
{
    Node *node = (Node *)self;
    PyObject *label = keywords == NULL ? NULL : PyDict_GetItemString(keywords, "label");
    if (PyTuple_Size(args) == 1 && (keywords == NULL || (label != NULL && PyDict_Size(keywords) == 1))
        && node->op == NULL && node->kind == LEAF && !node->attributed
        && plain(PyTuple_GetItem(args, 0), &node->data)) {
        node->grad = -0.0;
        node->reached = 0;
        return label == NULL || label == Py_None ? 0 : PyObject_SetAttrString(self, "label", label);
    }
    PyObject *all = PyTuple_New(PyTuple_Size(args) + 1), *done = NULL;
    if (all != NULL) {
        Py_INCREF(self);
        PyTuple_SetItem(all, 0, self);
        for (Py_ssize_t i = 0; i < PyTuple_Size(args); i++) {
            PyObject *argument = PyTuple_GetItem(args, i);
            Py_INCREF(argument);
            PyTuple_SetItem(all, i + 1, argument);
        }
        done = PyObject_Call(py_init, all, keywords);
        Py_DECREF(all);
    }
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static int refuse_deletion(PyObject *given)
{
    if (given == NULL)
        PyErr_SetString(PyExc_AttributeError, "this attribute of a Value cannot be deleted");
    return given == NULL;
}

static PyObject *get_data(PyObject *self, void *unused)
{
    return PyFloat_FromDouble(((Node *)self)->data);
}

static int set_data(PyObject *self, PyObject *x, void *unused)
{
    return refuse_deletion(x) ? -1 : as_number(x, &((Node *)self)->data);
}

static PyObject *get_grad(PyObject *self, void *unused)
{
    return PyFloat_FromDouble(((Node *)self)->grad + 0.0);
}

static int set_grad(PyObject *self, PyObject *x, void *unused)
{
    Node *node = (Node *)self;
    double number;
    if (refuse_deletion(x) || (x != Py_None && as_number(x, &number) < 0))
        return -1;
    node->grad = x == Py_None ? -0.0 : number + 0.0;
    node->reached = x != Py_None;
    return 0;
}

static PyObject *get_reached(PyObject *self, void *unused)
{
    return PyBool_FromLong(((Node *)self)->reached);
}

static PyObject *get_op(PyObject *self, void *unused)
{
    PyObject *op = ((Node *)self)->op;
    op = op == NULL ? Py_None : op;
    Py_INCREF(op);
    return op;
}

static int set_op(PyObject *self, PyObject *op, void *unused)
{
    if (refuse_deletion(op))
        return -1;
    PyObject *before = ((Node *)self)->op;
    ((Node *)self)->op = op == Py_None ? NULL : op;
    Py_XINCREF(((Node *)self)->op);
    Py_XDECREF(before);
    return 0;
}

/* A new tuple with room for each of *n parents. Making it may start the collector, and that the
   constructor on this node: so they are read afterwards. */
static PyObject *room_for_parents(Node *node, Py_ssize_t *n)
{
    PyObject *tuple = NULL;
    do {
        Py_XDECREF(tuple);
        *n = parents_of(node);
        tuple = PyTuple_New(*n);
    } while (tuple != NULL && *n != parents_of(node));
    return tuple;
}

static PyObject *get_parents(PyObject *self, void *unused)
{
    Edge pair[2];
    Py_ssize_t n;
    PyObject *parents = room_for_parents((Node *)self, &n);
    const Edge *edges = edges_of((Node *)self, pair);
    for (Py_ssize_t i = 0; parents != NULL && i < n; i++)
        PyTuple_SetItem(parents, i, (PyObject *)kept(edges[i].parent));
    return parents;
}

static PyObject *get_partials(PyObject *self, void *unused)
{
    Edge pair[2];
    Py_ssize_t n;
    PyObject *partials = room_for_parents((Node *)self, &n);
    const Edge *edges = edges_of((Node *)self, pair);
    for (Py_ssize_t i = 0; partials != NULL && i < n; i++) {
        PyObject *partial = PyFloat_FromDouble(edges[i].partial);
        if (partial == NULL)
            Py_CLEAR(partials);
        else
            PyTuple_SetItem(partials, i, partial);
    }
    return partials;
}

static PyObject *get_attributes(PyObject *self, void *unused)
{
    if (!((Node *)self)->attributed)
        Py_RETURN_NONE;
    PyObject *address = PyLong_FromVoidPtr(self);
    PyObject *found = address == NULL ? NULL : PyDict_GetItemWithError(attributes, address);
    if (found == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "the attributes of a Value are gone");
    Py_XINCREF(found);
    Py_XDECREF(address);
    return found;
}

static int set_attributes(PyObject *self, PyObject *given, void *unused)
{
    Node *node = (Node *)self;
    if (refuse_deletion(given))
        return -1;
    if (given == Py_None && !node->attributed)
        return 0;
    PyObject *address = PyLong_FromVoidPtr(self);
    if (address == NULL)
        return -1;
    node->attributed = given != Py_None;
    int failed = given == Py_None ? PyDict_DelItem(attributes, address)
                                  : PyDict_SetItem(attributes, address, given);
    if (failed)
        node->attributed = 0;
    Py_DECREF(address);
    return failed;
}

/* The slot of value.py: a number, or the object that stands for none, known by its identity. */
static PyObject *get_slot_grad(PyObject *self, void *unused)
{
    if (((Node *)self)->reached)
        return get_grad(self, NULL);
    Py_INCREF(py_unreached);
    return py_unreached;
}

/* What the constructor in Python sets besides: no gradient and no parents, whatever is assigned. */
static int set_unreached(PyObject *self, PyObject *unreached, void *unused)
{
    return refuse_deletion(unreached) ? -1 : set_grad(self, Py_None, NULL);
}

static int set_no_parent(PyObject *self, PyObject *none, void *unused)
{
    if (refuse_deletion(none))
        return -1;
    drop_parents((Node *)self);
    return 0;
}

static PyGetSetDef members[] = {
    {"_left", NULL, set_no_parent, NULL, NULL}, {"_right", NULL, set_no_parent, NULL, NULL},
    {"data", get_data, set_data, NULL, NULL}, {"_data", get_data, set_data, NULL, NULL},
    {"grad", get_grad, set_grad, NULL, NULL}, {"_grad", get_slot_grad, set_unreached, NULL, NULL},
    {"reached", get_reached, NULL, NULL, NULL}, {"op", get_op, set_op, NULL, NULL},
    {"parents", get_parents, NULL, NULL, NULL}, {"partials", get_partials, NULL, NULL, NULL},
    {"_attributes", get_attributes, set_attributes, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL}};

#define FAST(name, function) {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL, NULL}
static PyMethodDef methods[] = {
    {"backward", backward, METH_NOARGS, NULL}, FAST("record", record), {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, dealloc}, {Py_tp_traverse, traverse}, {Py_tp_new, make}, {Py_tp_init, init},
    {Py_tp_doc, "Value(data, _children=(), _op='', label=None)\n--\n\n"},
    {Py_tp_getset, members}, {Py_tp_methods, methods},
    {Py_tp_richcompare, compare}, {Py_tp_hash, hash},
    {Py_nb_add, add}, {Py_nb_subtract, subtract}, {Py_nb_multiply, multiply},
    {Py_nb_true_divide, divide}, {Py_nb_power, power},
    {Py_nb_negative, negative}, {Py_nb_absolute, absolute}, {0, NULL}};

static PyType_Spec spec = {"microgradient.engine.value.Value", sizeof(Node), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};

/* --- the module ---------------------------------------------------------------------------------- */

static int find(PyObject *dict, const char *name, PyObject **found)
{
    *found = PyDict_GetItemString(dict, name);
    if (*found == NULL) {
        PyErr_Format(PyExc_KeyError, "%s", name);
        return -1;
    }
    Py_INCREF(*found);
    return 0;
}

/* value_type(base, python, rows, documents): the type, given the class Operand, what FROM_PYTHON
   names, the rows by name, and signatures and docstrings of the methods. */
static PyObject *value_type(PyObject *module, PyObject *args)
{
    PyObject *base, *python, *rows, *documents;
    if (!PyArg_ParseTuple(args, "OO!O!O!", &base, &PyDict_Type, &python, &PyDict_Type, &rows,
                          &PyDict_Type, &documents))
        return NULL;
    if (Value != NULL)
        return PyErr_Format(PyExc_RuntimeError, "the type exists already");
#define FIND(name) if (find(python, #name, &py_##name) < 0) return NULL;
    FROM_PYTHON(FIND)
#define FIND_ROW(name) if (find(rows, #name, &op_##name) < 0) return NULL;
    ROWS(FIND_ROW)
    for (Kernel *kernel = kernels; kernel->name != NULL; kernel++)
        if (find(rows, kernel->name, &kernel->op) < 0)
            return NULL;
    for (PyMethodDef *method = methods; method->ml_name != NULL; method++) {
        PyObject *text; /* never released */
        if (find(documents, method->ml_name, &text) < 0
            || (method->ml_doc = PyUnicode_AsUTF8AndSize(text, NULL)) == NULL)
            return NULL;
    }
    if ((attributes = PyDict_New()) == NULL
        || (name_weights = PyUnicode_InternFromString("weights")) == NULL
        || (name_bias = PyUnicode_InternFromString("bias")) == NULL
        || (name_activation = PyUnicode_InternFromString("activation")) == NULL)
        return NULL;
    PyObject *type = PyType_FromSpecWithBases(&spec, base);
    if (type != NULL && PyType_GetFlags((PyTypeObject *)type) & Py_TPFLAGS_HAVE_GC) {
        Py_DECREF(type);
        return PyErr_Format(PyExc_SystemError, "this Python would collect Values");
    }
    Value = (PyTypeObject *)type;
    Py_XINCREF(type);
    return type;
}

/* in_use(): whether an earlier import, perhaps in another interpreter, has made the type */
static PyObject *in_use(PyObject *module, PyObject *unused) { return PyBool_FromLong(Value != NULL); }

/* watch(open blocks) */
static PyObject *watch(PyObject *module, PyObject *on)
{
    int is_on = PyObject_IsTrue(on);
    if (is_on < 0)
        return NULL;
    watching = is_on;
    Py_RETURN_NONE;
}

/* add_row(half_squared_error) */
static PyObject *add_row(PyObject *module, PyObject *op)
{
    Py_XDECREF(op_half_squared_error);
    Py_INCREF(op);
    op_half_squared_error = op;
    Py_RETURN_NONE;
}

static PyObject *live_nodes(PyObject *module, PyObject *unused)
{
    return PyLong_FromSsize_t(live);
}

/* packed(numbers): the doubles of a list or tuple of floats as bytes; None if it has anything else. */
static PyObject *packed(PyObject *module, PyObject *numbers)
{
    int is_list = PyList_CheckExact(numbers);
    if (!is_list && !PyTuple_CheckExact(numbers))
        Py_RETURN_NONE;
    Py_ssize_t n = is_list ? PyList_Size(numbers) : PyTuple_Size(numbers);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, n * (Py_ssize_t)sizeof(double));
    if (bytes == NULL)
        return NULL;
    char *at = PyBytes_AsString(bytes);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *x = is_list ? PyList_GetItem(numbers, i) : PyTuple_GetItem(numbers, i);
        if (!PyFloat_CheckExact(x)) {
            Py_DECREF(bytes);
            Py_RETURN_NONE;
        }
        double number = PyFloat_AsDouble(x);
        memcpy(at + i * (Py_ssize_t)sizeof(double), &number, sizeof(double));
    }
    return bytes;
}

static PyMethodDef row_call = {
    "__call__", (PyCFunction)(void (*)(void))call_row, METH_FASTCALL | METH_KEYWORDS,
    "__call__($self, /, *arguments, **keywords)\n--\n\n"};

/* row_caller(Op): the method __call__ for the class of rows. */
static PyObject *row_caller(PyObject *module, PyObject *type)
{
    if (!PyType_Check(type))
        return PyErr_Format(PyExc_TypeError, "expected a class");
    return PyDescr_NewMethod((PyTypeObject *)type, &row_call);
}

static PyMethodDef functions[] = {
    {"value_type", value_type, METH_VARARGS, NULL}, {"row_caller", row_caller, METH_O, NULL},
    {"watch", watch, METH_O, NULL}, {"add_row", add_row, METH_O, NULL},
    {"live_nodes", live_nodes, METH_NOARGS, NULL}, {"packed", packed, METH_O, NULL},
    {"in_use", in_use, METH_NOARGS, NULL},
    {"constant", constant, METH_O, NULL}, FAST("new_node", new_node), FAST("apply", apply),
    {"has_kernel", has_kernel, METH_O, NULL},
    FAST("responses", responses), FAST("computed_nodes", computed_nodes),
    FAST("gradients", gradients), FAST("dependents", dependents), FAST("holds_variable", holds_variable),
    FAST("graph_adjoints", graph_adjoints), FAST("descent", descent), FAST("momentum", momentum),
    FAST("adam", adam), {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_node", NULL, -1, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__node(void) { return PyModule_Create(&definition); }
