"""The small JSON body from FastAPI, with nothing around it."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/hello")
async def hello():
    return {"message": "hello"}
