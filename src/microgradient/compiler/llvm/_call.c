/* A call of machine code: what llvm/calls.py does by ctypes, in a fifth of its time. */

#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000 /* the stable ABI: one file for Python 3.11 and later */
#endif
#include <Python.h>
#include <stdint.h>

_Static_assert(sizeof(void *) == 8, "pointers and i64 are passed alike");

enum { COUNT = 8 };
typedef void Code(intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);

/* call(address, *arguments): call the function at this address with eight pointers or whole numbers.

A pointer is given as an address, as None, or as an object whose memory is contiguous, which is held
meanwhile. Other threads run meanwhile, too. */
static PyObject *call(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    if (count != COUNT + 1)
        return PyErr_Format(PyExc_TypeError, "expected an address and %d arguments", COUNT);
    Code *code = (Code *)PyLong_AsVoidPtr(arguments[0]);
    if (code == NULL)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "expected an address");
    intptr_t given[COUNT];
    Py_buffer views[COUNT];
    int viewed = 0, failed = 0;
    for (int i = 0; i < COUNT && !failed; i++) {
        PyObject *x = arguments[i + 1];
        if (x == Py_None) {
            given[i] = 0;
        } else if (PyLong_Check(x)) {
            given[i] = PyLong_AsSsize_t(x);
            failed = given[i] == -1 && PyErr_Occurred();
        } else if (PyObject_GetBuffer(x, &views[viewed], PyBUF_SIMPLE) == 0) {
            given[i] = (intptr_t)views[viewed++].buf;
        } else {
            failed = 1;
        }
    }
    if (!failed) {
        Py_BEGIN_ALLOW_THREADS
        code(given[0], given[1], given[2], given[3], given[4], given[5], given[6], given[7]);
        Py_END_ALLOW_THREADS
    }
    while (viewed)
        PyBuffer_Release(&views[--viewed]);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"call", (PyCFunction)(void (*)(void))call, METH_FASTCALL, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_call", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__call(void) { return PyModule_Create(&definition); }
