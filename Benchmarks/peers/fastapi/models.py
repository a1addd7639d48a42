"""The suppliers of `keeper` from FastAPI, SQLAlchemy (async, asyncpg) and Pydantic: one row by its id, and a page of rows
by cursor. No token is checked, nothing is recorded."""

import datetime
import os
import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CONNECTIONS = 8
engine = create_async_engine(os.environ["DATABASE"], pool_size=CONNECTIONS, max_overflow=0)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Supplier(Base):
    __tablename__ = "suppliers"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    lsn: Mapped[int]
    created_at: Mapped[datetime.datetime]
    updated_at: Mapped[datetime.datetime]
    vars: Mapped[dict] = mapped_column(JSONB)
    company_id: Mapped[uuid.UUID | None]
    code: Mapped[str]
    name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    payment_days: Mapped[int]
    is_active: Mapped[bool]


class SupplierOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    lsn: int
    code: str
    name: str
    email: str | None
    phone: str | None
    payment_days: int
    is_active: bool
    vars: dict
    company_id: uuid.UUID | None
    created_at: datetime.datetime
    updated_at: datetime.datetime


class SupplierPage(BaseModel):
    items: list[SupplierOut]
    next_cursor: int | None
    limit: int
    count: int


async def session():
    async with sessions() as one:
        yield one


Session = Annotated[AsyncSession, Depends(session)]
app = FastAPI()


@app.get("/api/v1/suppliers", response_model=SupplierPage)
async def page(session: Session, limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: int | None = None):
    statement = select(Supplier).where(Supplier.company_id.is_(None)).order_by(Supplier.lsn).limit(limit + 1)
    if cursor is not None:
        statement = statement.where(Supplier.lsn > cursor)
    rows = (await session.scalars(statement)).all()
    items = rows[:limit]
    return {"items": items, "next_cursor": items[-1].lsn if len(rows) > limit else None, "limit": limit,
            "count": len(items)}


@app.get("/api/v1/suppliers/{id}", response_model=SupplierOut)
async def show(id: uuid.UUID, session: Session):
    statement = select(Supplier).where(Supplier.company_id.is_(None), Supplier.id == id)
    row = (await session.scalars(statement)).one_or_none()
    if row is None:
        raise HTTPException(404)
    return row
