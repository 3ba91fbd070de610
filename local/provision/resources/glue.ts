import {
  type Column,
  CreateDatabaseCommand,
  CreateTableCommand,
  DeleteDatabaseCommand,
  DeleteTableCommand,
  GetDatabaseCommand,
  GetTableCommand,
  type TableInput,
  UpdateDatabaseCommand,
  UpdateTableCommand,
} from "@aws-sdk/client-glue";
import type { Arguments } from "../arguments";
import { isNamed, type ResourceKind, settled, unlessMissing } from "../resource-kind";

const database: ResourceKind = settled({
  type: "aws_glue_catalog_database",
  replacedBy: ["name"],
  async put({ arguments: list, clients, account, region, partition }) {
    const Name = list.requireText("name");
    const DatabaseInput = {
      Name,
      Description: list.text("description"),
      LocationUri: list.text("location_uri"),
      Parameters: list.map("parameters"),
    };
    list.accept("catalog_id");
    try {
      await clients.glue.send(new CreateDatabaseCommand({ DatabaseInput }));
    } catch (error) {
      if (!isNamed(error, "AlreadyExistsException")) {
        throw error;
      }
      await clients.glue.send(new UpdateDatabaseCommand({ Name, DatabaseInput }));
    }
    return {
      id: `${account}:${Name}`,
      catalog_id: account,
      arn: `arn:${partition}:glue:${region}:${account}:database/${Name}`,
    };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(clients.glue.send(new GetDatabaseCommand({ Name: list.requireText("name") })));
    return found && attributes;
  },
  async delete({ arguments: list, clients }) {
    await unlessMissing(clients.glue.send(new DeleteDatabaseCommand({ Name: list.requireText("name") })));
  },
});

const table: ResourceKind = settled({
  type: "aws_glue_catalog_table",
  replacedBy: ["name", "database_name"],
  async put({ arguments: list, clients, account, region, partition }) {
    const DatabaseName = list.requireText("database_name");
    const TableInput = tableInput(list);
    list.accept("catalog_id");
    try {
      await clients.glue.send(new CreateTableCommand({ DatabaseName, TableInput }));
    } catch (error) {
      if (!isNamed(error, "AlreadyExistsException")) {
        throw error;
      }
      await clients.glue.send(new UpdateTableCommand({ DatabaseName, TableInput }));
    }
    return {
      id: `${account}:${DatabaseName}:${TableInput.Name}`,
      catalog_id: account,
      arn: `arn:${partition}:glue:${region}:${account}:table/${DatabaseName}/${TableInput.Name}`,
    };
  },
  async read({ attributes, arguments: list, clients }) {
    const found = await unlessMissing(
      clients.glue.send(
        new GetTableCommand({ DatabaseName: list.requireText("database_name"), Name: list.requireText("name") }),
      ),
    );
    return found && attributes;
  },
  async delete({ arguments: list, clients }) {
    await unlessMissing(
      clients.glue.send(
        new DeleteTableCommand({ DatabaseName: list.requireText("database_name"), Name: list.requireText("name") }),
      ),
    );
  },
});

function tableInput(list: Arguments): TableInput & { readonly Name: string } {
  const storage = list.block("storage_descriptor");
  const serializer = storage?.block("ser_de_info");
  return {
    Name: list.requireText("name"),
    Description: list.text("description"),
    TableType: list.text("table_type"),
    Parameters: list.map("parameters"),
    PartitionKeys: list.blocks("partition_keys").map(column),
    ...(storage && {
      StorageDescriptor: {
        Location: storage.text("location"),
        InputFormat: storage.text("input_format"),
        OutputFormat: storage.text("output_format"),
        Compressed: storage.boolean("compressed"),
        Parameters: storage.map("parameters"),
        Columns: storage.blocks("columns").map(column),
        ...(serializer && {
          SerdeInfo: {
            Name: serializer.text("name"),
            SerializationLibrary: serializer.text("serialization_library"),
            Parameters: serializer.map("parameters"),
          },
        }),
      },
    }),
  };
}

function column(block: Arguments): Column {
  return { Name: block.requireText("name"), Type: block.text("type"), Comment: block.text("comment") };
}

/** Glue: databases and tables of the catalogue. */
export const glueKinds: readonly ResourceKind[] = [database, table];
